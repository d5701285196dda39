"""Work that may take only so long: an agent waits for it."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

_Result = TypeVar("_Result")


def within(limit_s: float, work: Callable[[], _Result]) -> _Result:
    """The work's result. Raises what it raises, and TimeoutError; then it is left to itself."""
    done: SimpleQueue[tuple[_Result | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except BaseException as exc:  # noqa: BLE001 (raised again by whoever waits)
            done.put((None, exc))

    Thread(target=run, daemon=True).start()
    try:
        result, error = done.get(timeout=limit_s)
    except Empty as exc:
        raise TimeoutError from exc
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
