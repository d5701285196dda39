"""INGEST: reads from logs what a deployed model answered in production. Samples nothing.

::

    logs ─read─▶ blocks of lines ─▶ completions ─extract─▶ PackageRef ─look up─▶ Lookup
         ─▶ counts, and rows for what was invented ─log─▶ store, with how far the log was read

Worker processes extract and judge. This process reads the logs and writes one transaction a block:
counts, inventions and the place in the log are stored together or not at all, so no line counts
twice.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.build import cutoff_of
from ghostbust.loop.ingest.files import (
    Files,
    LogBlock,
    LogFile,
    Stream,
    check_paths,
    files_of,
    is_stream,
)
from ghostbust.loop.ingest.logbook import Logbook
from ghostbust.loop.ingest.reading import Counted, SkippedLines
from ghostbust.loop.ingest.workers import InOrder, OpenPool, ReaderSettings, open_pool
from ghostbust.loop.session import Session, open_beside
from ghostbust.loop.signals import Clock, Listener, Silence
from ghostbust.measure import Tally, add_to, by_model, measurement_of
from ghostbust.records import Measurement
from ghostbust.store.store import Store
from ghostbust.store.traffic import NamedOften

log = logging.getLogger(__name__)

MOST_NAMED = 1000
"""invented names in a result, the most frequent ones"""

Source = LogFile | Stream
Read = tuple[Source, LogBlock] | None


@dataclass
class Ingested:
    """What was read and found."""

    run_id: int | None = None
    """the run of the model with the most answers; None if no completion was read"""
    runs: dict[tuple[str, str | None], int] = field(default_factory=dict)
    """the runs by model and adapter"""
    lines: int = 0
    """lines that aren't blank"""
    completions: int = 0
    skipped: SkippedLines = field(default_factory=SkippedLines)
    first_skipped_in: str = ""
    """the file of ``skipped.first``"""
    first_unread_in: str = ""
    """the file of ``skipped.first_unread``"""
    inventing: int = 0
    """answers that were stored because they invent a name"""
    reserved: int = 0
    """answers to prompts for evaluation only that invent a name; they are only counted"""
    unfinished: int = 0
    """files whose last line is incomplete"""
    notes: list[str] = field(default_factory=list)
    """one line for each file that couldn't be read"""
    measurement: Measurement | None = None
    """of all runs, including what interrupted ones had counted before"""
    by_model: dict[tuple[str, str | None], Measurement] = field(default_factory=dict)
    """the same by model and adapter"""
    named: list[NamedOften] = field(default_factory=list)
    """invented names of the runs, the most frequent ones first"""


@contextmanager
def open_logs(home: Home, config: Config, clock: Clock | None = None) -> Iterator[Session]:
    """Opens the home folder for reading logs: one process at a time, beside other work.

    ``clock``: as for `open_session`.

    Raises BusyError where another process reads logs into it, StoreError, SnapshotError.
    """
    with open_beside(home, config, purpose="ingest", lock=home.ingest_lock, clock=clock) as session:
        session.store.runs.mark_interrupted(ingest=True)
        yield session


def ingest(
    session: Session,
    paths: Sequence[Path],
    *,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
    listener: Listener | None = None,
    open_readers: OpenPool = open_pool,
) -> Ingested:
    """Reads what is new in the logs, counts, judges and stores it; a run for each model.

    ``follow``: also waits for what comes, until ``stopped`` returns True (it is asked several
    times a second) or a stream ends. The next call continues what was interrupted or killed.

    Raises UsageError for a missing path, StoreError, and DataError if no worker can begin.
    """
    check_paths(paths)
    result = Ingested()
    logbook = Logbook(session)
    config = session.config
    workers = config.ingest.workers
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    settings = ReaderSettings(
        session.judge.mode,
        session.home.registry,
        config.registry.as_of,
        cutoff_of(config),
        config.ingest.line_bytes,
    )
    reads = _reads(session, paths, result, follow=follow, stopped=stopped)
    read_bytes = _progress(listener or Silence(), paths, follow=follow)
    with logbook, open_readers(settings, workers) as submit:
        blocks: InOrder[Source] = InOrder(submit, 2 * workers + 1, lambda: read_bytes(0))
        for read in chain(reads, [None]):
            done = blocks.rest() if read is None else blocks.give(*read)
            for source, block, counted in done:
                _add(result, source, counted)
                result.inventing += logbook.write(source, block, counted)
                read_bytes(len(block.data))
    return _finished(session.store, logbook.runs, result)


def _reads(
    session: Session,
    paths: Sequence[Path],
    result: Ingested,
    *,
    follow: bool,
    stopped: Callable[[], bool],
) -> Iterator[Read]:
    """The blocks of files, then those of streams. Only one of the two can be followed."""
    settings = session.config.ingest
    streams = [path for path in paths if is_stream(path)]
    files = Files(
        [path for path in paths if path not in streams],
        session.store.traffic,
        settings.line_bytes,
        result.notes.append,
    )
    if follow and not streams:
        yield from files.follow(stopped, settings.poll_s)
    else:
        yield from files.once()
    for path in streams:
        yield from _stream(path, result, settings.line_bytes, settings.poll_s, stopped)
    result.unfinished += files.unfinished


def _stream(
    path: Path, result: Ingested, line_limit: int, poll_s: float, stopped: Callable[[], bool]
) -> Iterator[Read]:
    stream = Stream(path, line_limit)
    try:
        while not stopped() and not stream.ended:
            block = stream.read(poll_s)
            yield None if block is None else (stream, block)
        if block := stream.read_last():
            yield stream, block
        result.unfinished += stream.unfinished
    finally:
        stream.close()


def _progress(listener: Listener, paths: Sequence[Path], *, follow: bool) -> Callable[[int], None]:
    """A function that reports read bytes to the listener, in megabytes."""
    done, total = 0, 0
    if not follow:
        for file in files_of(path for path in paths if not is_stream(path)):
            with suppress(OSError):
                total += file.stat().st_size
    listener.begin("follow the logs (Ctrl-C ends it)" if follow else "read the logs (MB)")

    def add(size: int) -> None:
        nonlocal done
        done += size
        listener.advance(done // 1_000_000, max(total, done) // 1_000_000)

    return add


def _add(result: Ingested, source: Source, counted: Counted) -> None:
    """Adds a block's counts to the result."""
    result.lines += counted.lines
    result.completions += counted.completions
    result.reserved += counted.reserved
    skipped, more = result.skipped, counted.skipped
    if skipped.first is None and more.first is not None:
        result.first_skipped_in = str(source.path)
    if skipped.first_unread is None and more.first_unread is not None:
        result.first_unread_in = str(source.path)
    skipped.add(more)
    for line, why in more.failed:
        log.warning("ingest: skipped %s, line %d: %s", source.path, line, why)


def _finished(store: Store, runs: dict[tuple[str, str | None], int], result: Ingested) -> Ingested:
    """The result with the figures of the runs from the store."""
    if runs:
        tally: Tally = {}
        for run_id in runs.values():
            for key, counts in store.traffic.tally(run_id).items():
                add_to(tally, key, counts)
        result.measurement = measurement_of(tally)
        result.by_model = by_model(tally)
        result.named = store.traffic.named_most(runs.values(), MOST_NAMED)
        result.runs = runs
        result.run_id = runs.get(next(iter(result.by_model), ("", None))) or max(runs.values())
    return result
