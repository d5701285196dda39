"""Worker processes that read blocks; the results come in the order of the blocks.

Somebody can write a line that takes minutes, or all memory, to read. A worker that takes too long
is killed, and the block of one that ended is read again line by line: only the line at fault is
skipped, counted and named. Each worker belongs to one thread here, which starts it again.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
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
from ghostbust.system import limit_memory

BLOCK_S: Final = 30.0
"""for a block, which takes a second or two; a busy machine mustn't be taken for a hostile line"""
LINE_S: Final = 10.0
"""for a line of a block at which a worker hung or ended"""
START_S: Final = 120.0
"""for a worker to be ready"""
MEMORY_BYTES: Final = 1 << 30
"""address space of a worker; the largest answers need a quarter of it"""
POLL_S: Final = 0.5
"""between two checks whether to stop, while waiting for a block"""
READY: Final = "ready"
"""what a worker sends before its first block"""

log = logging.getLogger(__name__)
Tag = TypeVar("Tag")
Submit = Callable[[LogBlock], "Future[Counted]"]


class MakesReader(Protocol):
    """Makes the reader of a worker process, to which it is sent pickled."""

    def reader(self) -> Callable[[LogBlock], Counted]:
        """A function that reads blocks. Raises GhostbustError if it can't be made."""


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """Settings of a reader that judges by snapshots."""

    mode: Mode
    data_dir: Path
    as_of: date | None
    cutoff: date | None
    line_limit: int

    def reader(self) -> Callable[[LogBlock], Counted]:
        """Raises the errors of `default_judge`."""
        judge = default_judge(
            Mode.SNAPSHOT, data_dir=self.data_dir, as_of=self.as_of, cutoff=self.cutoff
        )
        return BlockReader(judge, self.mode, self.line_limit).read


OpenPool = Callable[[ReaderSettings, int], AbstractContextManager[Submit]]


@contextmanager
def open_pool(
    settings: MakesReader, workers: int, *, block_s: float = BLOCK_S, line_s: float = LINE_S
) -> Iterator[Submit]:
    """A function that takes blocks to be read by so many processes; they are killed at the end.

    0 workers: this process reads, and nothing keeps a line from stalling it.
    """
    if not workers:
        read = settings.reader()
        yield lambda block: _done(read(block))
        return
    pool = _Pool(settings, workers, block_s, line_s)
    try:
        yield pool.submit
    finally:
        pool.close()


class InOrder(Generic[Tag]):
    """Blocks that are being read, each with a tag; the results come in the order of the blocks.

    No more than ``most`` at once, which bounds the memory. ``waiting`` is called every `POLL_S`
    while waiting for a result, and may raise.
    """

    def __init__(
        self, submit: Submit, most: int, waiting: Callable[[], None] = lambda: None
    ) -> None:
        self._submit = submit
        self._most = most
        self._while_waiting = waiting
        self._waiting: deque[tuple[Tag, LogBlock, Future[Counted]]] = deque()

    def give(self, tag: Tag, block: LogBlock) -> Iterator[tuple[Tag, LogBlock, Counted]]:
        """Submits a block, and yields the results of those beyond ``most``."""
        self._waiting.append((tag, block, self._submit(block)))
        while len(self._waiting) > self._most:
            yield self._next()

    def rest(self) -> Iterator[tuple[Tag, LogBlock, Counted]]:
        """Yields all results that are left."""
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
        """The result to come."""
        return self._threads.submit(self._read, block)

    def close(self) -> None:
        """Kills every worker, also in the middle of a block."""
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
        counted = self._ask(
            replace(block, data=b""), self._line_s
        )  # counts only a dropped line before it
        for number, line in enumerate(block.data.split(b"\n"), start=block.line):
            one = replace(block, data=line, line=number, too_long=None)
            try:
                counted.add(self._ask(one, self._line_s))
            except _GaveUpError as exc:
                failed = (number, f"a worker {exc}")
                counted.add(Counted(1, skipped=SkippedLines(failed=[failed], first=failed)))
        return counted

    def _ask(self, block: LogBlock, limit_s: float) -> Counted:
        """This thread's worker's result. Kills it and raises _GaveUpError if there is none."""
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
    """A worker gave no result; the text is a predicate, such as ``ended (SIGKILL)``."""


class _Worker:
    """One process and the pipe to it, for the thread that made it. Ends with the main process."""

    def __init__(self, settings: MakesReader) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_work, args=(theirs, settings, os.getpid()), daemon=True
        )
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Raises DataError if the worker can't begin."""
        try:
            said = self._receive(START_S)
        except _GaveUpError as exc:
            self.kill()
            raise DataError(f"a worker {exc} before it could read; is memory free?") from exc
        if said != READY:
            raise DataError(f"a worker can't begin: {said}")

    def read(self, block: LogBlock, limit_s: float) -> Counted:
        """The result of the block. Raises _GaveUpError."""
        try:
            self._pipe.send(block)
        except OSError:
            raise _GaveUpError("ended") from None
        said = self._receive(limit_s)
        if isinstance(said, Counted):
            return said
        raise _GaveUpError(f"failed ({said})")

    def kill(self) -> None:
        """Ends the process, also in the middle of a block."""
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
    """The worker process: reads blocks from the pipe. Ctrl-C is for the main process."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    limit_memory(MEMORY_BYTES)
    try:
        read = settings.reader()
    except GhostbustError as exc:
        pipe.send(str(exc))
        return
    gc.freeze()  # the snapshots stay in memory: not collecting them saves a tenth of the time
    pipe.send(READY)
    while True:
        try:
            block = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(read(block))
        except Exception as exc:  # noqa: BLE001 - one bad line must not end the reading of others
            pipe.send(type(exc).__name__)
