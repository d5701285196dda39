"""Worker processes that read blocks, in the order in which they are given.

A line can be made so that reading it takes minutes, or all memory. A worker that takes too long or
dies is killed, and its block is read again line by line: only the line that does it is passed
over, counted and named. Each worker belongs to one thread here, which starts it again.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import resource
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from ghostbust.errors import DataError, GhostbustError
from ghostbust.loop.ingest.files import LogBlock
from ghostbust.loop.ingest.reading import BlockReader, Counted, SkippedLines
from ghostbust.loop.leash import end_with
from ghostbust.registries.judge import Mode, default_judge

BLOCK_S: Final = 30.0
"""for a block, which takes a second or two: a busy machine must not look like a poisoned line"""
LINE_S: Final = 10.0
"""for a line of a block that a worker didn't get through"""
START_S: Final = 120.0
"""for a worker to be ready"""
MEMORY_BYTES: Final = 1 << 30
"""address space of a worker; the largest answers need a quarter of it"""
POLL_S: Final = 0.5
"""from one look whether to stop to the next, while a block is waited for"""
READY: Final = "ready"
"""what a worker says before its first block"""

log = logging.getLogger(__name__)
Tag = TypeVar("Tag")
Submit = Callable[[LogBlock], "Future[Counted]"]


class Reader(Protocol):
    """Reads blocks in a worker process."""

    def read(self, block: LogBlock) -> Counted:
        """What the block comes to."""


class MakesReader(Protocol):
    """What a worker makes its reader from; it is pickled on its way there."""

    def reader(self) -> Reader:
        """A new reader. Raises GhostbustError where it can't be made."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """A reader that judges by the snapshots."""

    mode: Mode
    data_dir: Path
    as_of: date | None
    cutoff: date | None
    line_limit: int

    def reader(self) -> BlockReader:
        """The reader. Raises as `default_judge`."""
        judge = default_judge(
            Mode.SNAPSHOT, data_dir=self.data_dir, as_of=self.as_of, cutoff=self.cutoff
        )
        return BlockReader(judge, self.mode, self.line_limit)


OpenPool = Callable[[ReaderSettings, int], AbstractContextManager[Submit]]


@contextmanager
def open_pool(
    settings: MakesReader, workers: int, *, block_s: float = BLOCK_S, line_s: float = LINE_S
) -> Iterator[Submit]:
    """What takes blocks to be read, by so many processes; on leaving, all of them are killed.

    0 workers: this process reads, and no line is kept from stalling it.
    """
    if not workers:
        reader = settings.reader()
        yield lambda block: _done(reader.read(block))
        return
    pool = _Pool(settings, workers, block_s, line_s)
    try:
        yield pool.submit
    finally:
        pool.close()


class InOrder(Generic[Tag]):
    """Blocks on their way, each with a tag; their results come in the order they were given.

    No more than ``most`` are on their way, which is what bounds the memory. ``waiting`` is called
    again and again while a result is waited for, and may raise.
    """

    def __init__(
        self, submit: Submit, most: int, waiting: Callable[[], None] = lambda: None
    ) -> None:
        self._submit = submit
        self._most = most
        self._while_waiting = waiting
        self._waiting: deque[tuple[Tag, LogBlock, Future[Counted]]] = deque()

    def give(self, tag: Tag, block: LogBlock) -> Iterator[tuple[Tag, LogBlock, Counted]]:
        """Gives a block away, and takes the results for which there is no more room."""
        self._waiting.append((tag, block, self._submit(block)))
        while len(self._waiting) > self._most:
            yield self._next()

    def rest(self) -> Iterator[tuple[Tag, LogBlock, Counted]]:
        """All results that are still on their way."""
        while self._waiting:
            yield self._next()

    def _next(self) -> tuple[Tag, LogBlock, Counted]:
        tag, block, future = self._waiting.popleft()
        while not wait([future], POLL_S).done:
            self._while_waiting()
        return tag, block, future.result()


class _Pool:
    """Threads that each have a worker of their own."""

    def __init__(self, settings: MakesReader, workers: int, block_s: float, line_s: float) -> None:
        self._settings, self._block_s, self._line_s = settings, block_s, line_s
        self._threads = ThreadPoolExecutor(workers, "ghostbust ingest")
        self._own = threading.local()
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._closed = False

    def submit(self, block: LogBlock) -> Future[Counted]:
        """The block, on its way."""
        return self._threads.submit(self._read, block)

    def close(self) -> None:
        """Kills every worker, whatever it does."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _read(self, block: LogBlock) -> Counted:
        try:
            return self._ask(block, self._block_s)
        except _GaveUpError as exc:
            log.info("ingest: a worker %s; from line %d on one by one", exc, block.line)
        counted = self._ask(replace(block, data=b""), self._line_s)  # what lies before its lines
        for number, line in enumerate(block.data.split(b"\n"), start=block.line):
            one = replace(block, data=line, line=number, too_long=None)
            try:
                counted.add(self._ask(one, self._line_s))
            except _GaveUpError as exc:
                failed = (number, f"a worker {exc}")
                counted.add(Counted(1, skipped=SkippedLines(failed=[failed], first=failed)))
        return counted

    def _ask(self, block: LogBlock, limit_s: float) -> Counted:
        """What this thread's worker says. Raises _GaveUpError where it didn't, and is gone."""
        worker: _Worker | None = getattr(self._own, "worker", None)
        worker = worker or self._start()
        try:
            return worker.read(block, limit_s)
        except _GaveUpError:
            self._own.worker = None
            with self._lock:
                self._workers.discard(worker)
                if self._closed:
                    raise CancelledError from None
            worker.kill()
            raise

    def _start(self) -> _Worker:
        with self._lock:
            if self._closed:
                raise CancelledError
            worker = _Worker(self._settings)
            self._workers.add(worker)
        worker.wait_until_ready()
        self._own.worker = worker
        return worker


class _GaveUpError(Exception):
    """A worker gave no result: why, in words that follow ``it``."""


class _Worker:
    """One process, and the pipe to it. Used by the thread that made it, which it dies with."""

    def __init__(self, settings: MakesReader) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, settings, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Returns when it can read. Raises DataError where it can't begin."""
        try:
            said = self._receive(START_S)
        except _GaveUpError as exc:
            self.kill()
            raise DataError(f"a worker {exc} before it could read; is memory free?") from exc
        if said != READY:
            raise DataError(f"a worker can't begin: {said}")

    def read(self, block: LogBlock, limit_s: float) -> Counted:
        """What the block comes to. Raises _GaveUpError."""
        try:
            self._pipe.send(block)
        except OSError:
            raise _GaveUpError("ended") from None
        said = self._receive(limit_s)
        if isinstance(said, Counted):
            return said
        raise _GaveUpError(f"failed ({said})")

    def kill(self) -> None:
        """Ends the process, also in the middle of a computation."""
        self._process.kill()
        self._process.join()

    def _receive(self, limit_s: float) -> object:
        try:
            if self._pipe.poll(limit_s):
                return self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise _GaveUpError(f"ended ({how})") from None
        raise _GaveUpError(f"took more than {limit_s:g} s")


def _done(counted: Counted) -> Future[Counted]:
    future: Future[Counted] = Future()
    future.set_result(counted)
    return future


def _work(pipe: Connection, settings: MakesReader, parent: int) -> None:
    """A worker: reads what comes through the pipe. Ctrl-C is the main process's."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    least = MEMORY_BYTES if most == resource.RLIM_INFINITY else min(MEMORY_BYTES, most)
    resource.setrlimit(resource.RLIMIT_AS, (least, least))
    try:
        reader = settings.reader()
    except GhostbustError as exc:
        pipe.send(str(exc))
        return
    gc.freeze()  # what is there now stays: looking through it again and again costs a tenth
    pipe.send(READY)
    while True:
        try:
            block = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(reader.read(block))
        except Exception as exc:  # noqa: BLE001 - a line's fault must not end the reading of others
            pipe.send(type(exc).__name__)
