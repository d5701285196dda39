"""Few at a time, not too often, and a host that is down is left alone for a while."""

from __future__ import annotations

import asyncio
import time

import pytest

from ghostbust.registries.transport import (
    LEFT_ALONE_S,
    LONGEST_LEFT_ALONE_S,
    Breaker,
    Hosts,
    Manners,
)


class Clock:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, clock)


def fail(breaker: Breaker, *urls: str) -> None:
    for url in urls:
        breaker.failed(url, f"{url} is down")


def test_it_opens_after_failures_in_a_row_only(breaker: Breaker) -> None:
    fail(breaker, "a", "b")
    breaker.answered()
    fail(breaker, "c", "d")
    assert not breaker.failed("d", "d is down again")
    assert breaker.failed("e", "e is down")
    assert (breaker.wait_s, breaker.why) == (LEFT_ALONE_S, "e is down")
    assert not breaker.failed("f", "f is down"), "it is open already"


def test_one_name_that_never_gets_an_answer_does_not_open_it(breaker: Breaker) -> None:
    fail(breaker, "a", "b", "a", "b", "a")
    assert breaker.wait_s is None


def test_after_a_while_one_may_try_and_an_answer_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, "a", "b", "c")
    clock.now += LEFT_ALONE_S / 2
    assert breaker.wait_s == LEFT_ALONE_S / 2
    clock.now += LEFT_ALONE_S
    assert breaker.wait_s == 0
    breaker.try_again()
    assert breaker.wait_s == 2 * LEFT_ALONE_S, "for the others"
    breaker.answered()
    assert breaker.wait_s is None


def test_the_time_doubles_with_each_try_in_vain(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, "a", "b", "c")
    waits = []
    for _ in range(7):
        waits.append(breaker.wait_s)
        clock.now += breaker.wait_s or 0
        breaker.try_again()
        fail(breaker, "d")
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert (LEFT_ALONE_S, LONGEST_LEFT_ALONE_S) == (1, 30)


def test_every_host_and_port_has_a_queue_of_its_own() -> None:
    hosts = Hosts()
    one = hosts.of("https://a.test/simple/x/")
    assert hosts.of("https://a.test/simple/y/") is one
    assert hosts.of("https://a.test:8443/simple/x/") is not one
    assert hosts.of("https://b.test/") is not one


async def test_no_more_slots_than_questions_at_a_time() -> None:
    host = Hosts(Manners(in_flight=2)).of("https://a.test/")
    at_once: list[int] = []
    inside = 0

    async def ask() -> None:
        nonlocal inside
        async with host.slots:
            inside += 1
            at_once.append(inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(ask() for _ in range(7)))
    assert max(at_once) == 2


async def test_the_rate_is_held() -> None:
    host = Hosts(Manners(per_second=20)).of("https://a.test/")
    started = time.monotonic()
    for _ in range(24):
        await host.rate.acquire()
    assert time.monotonic() - started > 0.15, "20 at once, then one every 50 ms"
