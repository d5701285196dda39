"""The schedule in simulated time: a day of it takes seconds, with nothing else made up.

APScheduler's own scheduler and the daemon's own timetable are driven; what is simulated is the
clock, which stands still but for those who sleep by it.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.schedulers.base import BaseScheduler

from ghostbust.loop.timetable import LOOK, WORK, scheduler_settings

_SHORTEST: Final = timedelta(milliseconds=1)


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
        executors = {name: _HandExecutor(self._queue) for name in (WORK, LOOK)}
        super().__init__(executors=executors, **scheduler_settings(clock))

    def wakeup(self) -> None:
        """Does nothing: nobody waits."""

    def shutdown(self, wait: bool = True) -> None:
        """Ends the schedule."""
        super().shutdown(wait)

    def run_until(self, end: datetime) -> None:
        """Does what is due, then sleeps until something is, again and again until ``end``.

        A job that works beyond the end is worked to its own.
        """
        while self._clock.now() < end:
            wait_s = self._process_jobs()
            if self._queue:
                while self._queue:
                    executor, job, times = self._queue.popleft()
                    executor.work(job, times)
                continue
            left = end - self._clock.now()
            step = left if wait_s is None else min(left, timedelta(seconds=wait_s))
            self._clock.sleep(max(step, _SHORTEST).total_seconds())


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
