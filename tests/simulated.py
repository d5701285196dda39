"""The schedule in simulated time: a day of it takes seconds, with nothing else made up.

APScheduler's own scheduler and the daemon's own timetable are driven; what is simulated is the
clock, which stands still but for those who sleep by it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.base import BaseScheduler

from ghostbust.loop.daemon.run import SETTINGS
from ghostbust.loop.daemon.table import QUEUES

_SHORTEST: Final = timedelta(microseconds=1)


class SimulatedClock:
    """A clock that goes as far as somebody sleeps by it, and that can be set."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """The simulated time of day, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Simulated seconds since the clock was made."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Lets time go by."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Sets the clock, forward or back; no time goes by."""
        self._now += timedelta(seconds=seconds)


class HandScheduler(BaseScheduler):  # type: ignore[misc]
    """A scheduler without threads, driven by `run_until`."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._queue: deque[tuple[_HandExecutor, Any, list[datetime]]] = deque()
        executors = {queue: _HandExecutor(self._queue) for queue in QUEUES}
        super().__init__(executors=executors, **SETTINGS | {"timezone": _ClockZone(clock)})

    def wakeup(self) -> None:
        """Does nothing: nobody waits."""

    def shutdown(self, wait: bool = True) -> None:
        """Ends the schedule."""
        super().shutdown(wait)

    def run_until(
        self, end: datetime, look: Callable[[], None] = lambda: None, *, every_s: float = 600
    ) -> None:
        """Does what is due, then sleeps until something is, again and again until ``end``.

        ``look`` is called each so many seconds, by the monotonic clock. A job that works beyond
        the end is worked to its own.
        """
        next_look = self._clock.monotonic() + every_s
        while self._clock.now() < end:
            if self._clock.monotonic() >= next_look:
                next_look = self._clock.monotonic() + every_s
                look()
            self._process_jobs()
            if self._queue:
                while self._queue:
                    executor, job, times = self._queue.popleft()
                    executor.work(job, times)
                continue
            due = (job.next_run_time for job in self.get_jobs() if job.next_run_time)
            step = max(min([end, *due]) - self._clock.now(), _SHORTEST).total_seconds()
            self._clock.sleep(min(step, max(0.0, next_look - self._clock.monotonic())))


class _HandExecutor(BaseExecutor):  # type: ignore[misc]
    """Keeps what is due until the scheduler is done looking, as a thread of its own would."""

    def __init__(self, queue: deque[tuple[_HandExecutor, Any, list[datetime]]]) -> None:
        super().__init__()
        self._queue = queue

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        self._queue.append((self, job, run_times))

    def work(self, job: Any, run_times: list[datetime]) -> None:
        """Runs the job now."""
        events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        self._run_job_success(job.id, events)


class _ClockZone(tzinfo):
    """UTC as a clock has it: ``datetime.now(zone)`` is the clock's time.

    APScheduler 3.11 asks ``datetime.now(scheduler.timezone)`` and has no other place for a clock.
    Every time that is turned into this zone is that of the clock, too, so how long the scheduler
    would wait says nothing; nobody waits here.
    """

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock

    def fromutc(self, at: datetime) -> datetime:
        """The clock's time, whatever the system's is."""
        return self._clock.now().astimezone(UTC)

    def utcoffset(self, at: datetime | None) -> timedelta:
        """None from UTC."""
        return timedelta(0)

    def dst(self, at: datetime | None) -> timedelta:
        """No summer time."""
        return timedelta(0)

    def tzname(self, at: datetime | None) -> str:
        """UTC."""
        return "UTC"
