"""How the loop and whoever runs it talk: progress, ends of jobs, log ids, time, when to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

from ghostbust.records import utc_now
from ghostbust.store.daemon import JobOutcome
from ghostbust.times import QuietHours


class Listener(Protocol):
    """Gets the loop's progress: the command line's bars, the daemon's log."""

    def begin(self, what: str) -> None:
        """A stage begins, in words for a person."""

    def advance(self, done: int, total: int) -> None:
        """So many of the stage's answers are logged, of so many."""

    def step(self, number: int, of: int, loss: float) -> None:
        """A training step is done, its loss per answer in nats."""


class Silence:
    """A listener that does nothing."""

    def begin(self, what: str) -> None:
        """Does nothing."""

    def advance(self, done: int, total: int) -> None:
        """Does nothing."""

    def step(self, number: int, of: int, loss: float) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class JobDone:
    """One run of a job, once it is over."""

    name: str
    """`watch`, `round`, …"""
    state: JobOutcome
    """`skipped`: it didn't begin; `stopped`: it was interrupted and continues another time"""
    seconds: float
    """how long it worked"""
    reason: str
    """why it failed, was skipped or stopped, in one line; where it is ok, what it says, if any"""


class Companion(Protocol):
    """Something that runs beside the daemon's jobs, and never delays them for long."""

    def start(self) -> None:
        """Called before the schedule begins; what it raises keeps the daemon from starting."""

    def stop(self) -> None:
        """Called when the schedule has ended, or where a later companion failed to start."""

    def job_done(self, done: JobDone) -> None:
        """Called at the end of each run of a job, in the thread of the jobs."""


_LOG_IDS: Final[ContextVar[Mapping[str, str | int]]] = ContextVar(
    "log_ids", default=MappingProxyType({})
)


@contextmanager
def log_ids(**ids: str | int) -> Iterator[None]:
    """Adds ids of a job, run or round to the log records of the block, in this thread only."""
    before = _LOG_IDS.set({**_LOG_IDS.get(), **ids})
    try:
        yield
    finally:
        _LOG_IDS.reset(before)


def current_ids() -> Mapping[str, str | int]:
    """The ids of a log record made now in this thread; empty outside of any work."""
    return _LOG_IDS.get()


class Clock(Protocol):
    """The time. It is passed in, so that tests drive a day of the schedule in a second."""

    def now(self) -> datetime:
        """The time of day, UTC; may jump either way when somebody sets it."""

    def monotonic(self) -> float:
        """Seconds since some moment, which no setting of the time changes."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The system's time, UTC."""
        return utc_now()

    def monotonic(self) -> float:
        """The system's monotonic time."""
        return time.monotonic()


_STEP_S: Final = 1.0
"""between two readings of the clock while waiting"""


class StopSign(threading.Event):
    """Is set when the daemon stops, quiet hours begin, or the job's time is up.

    It reads the clock when it is asked, so no thread has to set it. A job that a person asked for
    has no quiet hours.
    """

    def __init__(
        self,
        stopping: threading.Event,
        clock: Clock,
        *,
        quiet: QuietHours | None = None,
        seconds: float | None = None,
    ) -> None:
        """``seconds``: that the job may work from now on; None: no limit."""
        super().__init__()
        self._stopping, self._clock, self._quiet = stopping, clock, quiet
        self._ends = None if seconds is None else clock.monotonic() + seconds

    @property
    def why(self) -> str:
        """Why the job must stop; empty as long as it may work."""
        if super().is_set() or self._stopping.is_set():
            return "the daemon stops"
        if self._ends is not None and self._clock.monotonic() >= self._ends:
            return "the day's budget of gpu_minutes is used up"
        if self._quiet is not None and self._quiet.holds(self._clock.now()):
            return "quiet hours begin"
        return ""

    def is_set(self) -> bool:
        """True where the job must stop."""
        return bool(self.why)

    def set(self) -> None:
        """Stops the job, and the daemon."""
        super().set()
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the job must stop, or so many real seconds; True where it must."""
        left = timeout
        while not self.is_set() and (left is None or left > 0):
            step = _STEP_S if left is None else min(left, _STEP_S)
            if self._stopping.wait(step):
                break
            left = None if left is None else left - step
        return self.is_set()
