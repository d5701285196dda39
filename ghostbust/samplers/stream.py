"""An asyncio producer behind a plain iterator: its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()
_Running = tuple[asyncio.AbstractEventLoop, "asyncio.Task[None] | None"]


def stream(produce: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
    """Yields what ``produce`` hands to the function it is given, as soon as it does.

    Works inside a running event loop as well as without one. When the iterator is closed, or
    its reader is interrupted, ``produce`` is cancelled and its thread has ended before the close
    returns. What ``produce`` raises is raised here, behind everything that it handed over.
    """
    results: SimpleQueue[T | object] = SimpleQueue()
    running: Future[_Running] = Future()

    async def main() -> None:
        running.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        await produce(results.put)

    with ThreadPoolExecutor(1, thread_name_prefix="ghostbust-stream") as pool:
        work = pool.submit(lambda: asyncio.run(main()))
        work.add_done_callback(lambda _: results.put(_END))
        try:
            while (item := results.get()) is not _END:
                yield item  # type: ignore[misc]  # anything but the end mark is a T
            work.result()
        finally:
            if not work.done():
                loop, task = running.result()
                with contextlib.suppress(RuntimeError):  # the loop closed in this very moment
                    loop.call_soon_threadsafe(lambda: task.cancel() if task else None)


async def each(
    jobs: Iterator[Callable[[], Awaitable[T]]], emit: Callable[[T], None], concurrency: int
) -> None:
    """Runs the jobs, ``concurrency`` at once, and hands over each result when it is there.

    The first error cancels the other jobs and is raised bare.
    """

    async def worker() -> None:
        for job in jobs:
            emit(await job())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        raise first from first.__cause__
