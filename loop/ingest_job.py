"""The daemon's reading of logs: what is new in `ingest.paths`, block by block."""

from __future__ import annotations

import logging
import threading

from ghostbust.loop.ingest import ingest, open_logs
from ghostbust.loop.ingest_pool import OpenPool, open_pool
from ghostbust.loop.jobs import Stopped, Workplace
from ghostbust.loop.listener import Silence

log = logging.getLogger(__name__)


class _Stoppable(Silence):
    """A listener that ends the reading before it begins, or behind a block that is logged."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def begin(self, what: str) -> None:  # noqa: ARG002
        """Raises Stopped where the job must stop."""
        if self._stopping.is_set():
            raise Stopped

    def advance(self, done: int, total: int) -> None:  # noqa: ARG002
        """Raises Stopped where the job must stop."""
        self.begin("")


def read_logs(place: Workplace, open_readers: OpenPool = open_pool) -> None:
    """Reads what is new in the logs of the settings, as ``ghostbust ingest`` does.

    ``open_readers`` is as for `ingest`.
    Raises UsageError for a path that isn't there, BusyError where somebody follows logs already.
    """
    if not place.config.ingest.paths:
        log.info("ingest: ingest.paths names no logs")
        return
    with open_logs(place.home, place.config, place.clock) as session:
        read = ingest(
            session,
            place.config.ingest.paths,
            listener=_Stoppable(place.stopping),
            open_readers=open_readers,
        )
    for note in read.notes:
        log.warning("ingest: %s", note)
    log.info(
        "ingest: %d completions in %d new lines, %d of them invent a name, %d lines skipped, "
        "%d answers read in part only",
        read.completions,
        read.lines,
        read.inventing,
        read.skipped.faulty,
        read.skipped.unread,
    )
