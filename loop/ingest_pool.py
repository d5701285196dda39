"""Worker processes that read blocks, in the order in which they are given."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from multiprocessing.connection import wait
from pathlib import Path
from typing import Generic, TypeVar

from ghostbust.errors import DataError
from ghostbust.loop.ingest_reading import BlockReader, Counted
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.traffic.blocks import Block

Tag = TypeVar("Tag")
Submit = Callable[[Block], "Future[Counted]"]

_reader: BlockReader
"""of a worker process, from its beginning"""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """What a worker makes its reader from."""

    mode: Mode
    data_dir: Path
    as_of: date | None
    cutoff: date | None
    line_limit: int

    def reader(self) -> BlockReader:
        """A reader that judges by the snapshots. Raises as `default_judge`."""
        judge = default_judge(
            Mode.SNAPSHOT, data_dir=self.data_dir, as_of=self.as_of, cutoff=self.cutoff
        )
        return BlockReader(judge, self.mode, self.line_limit)


@contextmanager
def open_pool(settings: ReaderSettings, workers: int) -> Iterator[Submit]:
    """What takes blocks to be read, by so many processes; 0 reads them in this one."""
    if not workers:
        reader = settings.reader()
        yield lambda block: _done(reader.read(block))
        return
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(settings,)
    )
    try:
        yield lambda block: pool.submit(_read, block)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class InOrder(Generic[Tag]):
    """Blocks on their way, each with a tag; their results come in the order they were given.

    No more than ``most`` are on their way, which is what bounds the memory.
    """

    def __init__(self, submit: Submit, most: int) -> None:
        self._submit = submit
        self._most = most
        self._waiting: deque[tuple[Tag, Block, Future[Counted]]] = deque()

    def give(self, tag: Tag, block: Block) -> Iterator[tuple[Tag, Block, Counted]]:
        """Gives a block away, and takes the results for which there is no more room."""
        try:
            self._waiting.append((tag, block, self._submit(block)))
        except BrokenProcessPool as exc:
            raise _broken(block) from exc
        while len(self._waiting) > self._most:
            yield self._next()

    def rest(self) -> Iterator[tuple[Tag, Block, Counted]]:
        """All results that are still on their way."""
        while self._waiting:
            yield self._next()

    def _next(self) -> tuple[Tag, Block, Counted]:
        tag, block, future = self._waiting.popleft()
        try:
            return tag, block, future.result()
        except BrokenProcessPool as exc:
            raise _broken(block) from exc


def _broken(block: Block) -> DataError:
    last = block.end.lines
    return DataError(
        f"a worker process ended while lines {block.line} to {last} or some after them were read, "
        "for want of memory perhaps; what came before is kept, and the same command goes on there"
    )


def _done(counted: Counted) -> Future[Counted]:
    future: Future[Counted] = Future()
    future.set_result(counted)
    return future


def _begin(settings: ReaderSettings) -> None:
    """Begins a worker: Ctrl-C is the main process's, and nobody outlives that one."""
    global _reader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _reader = settings.reader()
    gc.freeze()  # what is there now stays: looking through it again and again costs a tenth


def _end_with(sentinel: int) -> None:
    """Ends this process once the other one is gone, killed ones included."""
    wait([sentinel])
    os._exit(1)


def _read(block: Block) -> Counted:
    return _reader.read(block)
