"""An asyncio producer behind a plain iterator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from ghostbust.samplers.endpoint import each, stream


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "ghostbust-stream" in thread.name]


async def _count(emit: Callable[[int], None]) -> None:
    for number in range(3):
        emit(number)
        await asyncio.sleep(0)


def test_yields_everything_and_ends_its_thread() -> None:
    assert list(stream(_count)) == [0, 1, 2]
    assert threads() == []


async def test_works_inside_a_running_loop() -> None:
    assert list(stream(_count)) == [0, 1, 2]


def test_an_error_comes_behind_what_was_there_before() -> None:
    async def produce(emit: Callable[[int], None]) -> None:
        emit(1)
        raise ValueError("broken")

    numbers = stream(produce)
    assert next(numbers) == 1
    with pytest.raises(ValueError, match="broken"):
        next(numbers)
    assert threads() == []


def test_closing_early_cancels_the_producer() -> None:
    cancelled = threading.Event()

    async def produce(emit: Callable[[int], None]) -> None:
        emit(1)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    for _number in stream(produce):
        break
    numbers = stream(produce)
    next(numbers)
    numbers.close()  # type: ignore[attr-defined]  # a generator, promised as an Iterator
    assert cancelled.is_set()
    assert threads() == []


def test_nothing_runs_before_the_first_item_is_asked_for() -> None:
    stream(_count)
    assert threads() == []


def test_each_keeps_to_its_concurrency() -> None:
    running = 0
    most = 0

    async def job(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return number

    async def produce(emit: Callable[[int], None]) -> None:
        await each((partial(job, number) for number in range(10)), emit, 3)

    assert sorted(stream(produce)) == list(range(10))
    assert most == 3


def test_the_first_error_is_raised_bare_with_its_cause() -> None:
    cause = KeyError("the cause")
    stopped: list[int] = []

    async def job(number: int) -> int:
        if number == 0:
            raise ValueError("first") from cause
        try:
            await asyncio.sleep(60)
        finally:
            stopped.append(number)
        return number

    async def produce(emit: Callable[[int], None]) -> None:
        await each((partial(job, number) for number in range(9)), emit, 3)

    with pytest.raises(ValueError, match="first") as caught:
        list(stream(produce))
    assert caught.value.__cause__ is cause
    assert len(stopped) <= 2
