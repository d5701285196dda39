"""Why a job that is due doesn't begin now, and when to look again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import HomeError
from ghostbust.loop.allowance import Allowance
from ghostbust.loop.busy import busy_reason, machine_busy
from ghostbust.loop.job_table import Job
from ghostbust.loop.jobs import Workplace
from ghostbust.loop.selfcheck import lacking_room
from ghostbust.quiet_hours import QuietHours
from ghostbust.store import JobRow

TROUBLE_S: Final = 60.0
"""until the next look where the disk is full or the database can't be used"""
LONGEST_BUSY_S: Final = 1800.0
FIRST_RETRY_S: Final = 300.0
LONGEST_RETRY_S: Final = 3600.0

Busy = Callable[[Config], str | None]


@dataclass(frozen=True, slots=True)
class Hold:
    """A job waits."""

    reason: str
    until: datetime | None
    """when to look again; None: when the job is next due"""


class Holds:
    """What makes a job wait. Keeps in mind how often in a row it was busy here."""

    def __init__(self, place: Workplace, busy: Busy | None = None) -> None:
        """``busy``: says why no model should be asked now; None: the machine and the servers do."""
        self._place, self._given = place, busy
        self._in_row = 0
        self.quiet = QuietHours.of(place.config.jobs.quiet, place.config.jobs.time_zone)

    def find(self, job: Job, row: JobRow, allowance: Allowance, *, asked: bool) -> Hold | None:
        """The first reason not to begin; None where there is none.

        ``asked``: by a person, who knows about the quiet hours, the pause and the load.
        """
        config, now = self._place.config, self._place.clock.now()
        if row.paused is not None and not asked:
            return Hold("it is paused", None)
        if self.quiet.holds(now) and not asked:
            end = self.quiet.end(now)
            return Hold(f"quiet hours until {end:%Y-%m-%d %H:%M} UTC", end)
        if job.needs_room:
            try:
                lacking_room(self._place.home, config.selfcheck.free_bytes)
            except HomeError as exc:
                return Hold(str(exc), now + timedelta(seconds=TROUBLE_S))
        lacking = allowance.lacking(job.needs(config))
        if lacking is not None:
            return Hold(f"{lacking}; goes on tomorrow", allowance.day_ends)
        return None if asked else self._busy(job, now)

    def _busy(self, job: Job, now: datetime) -> Hold | None:
        """Busy the first time: the settings' wait; each further time in a row twice as long."""
        config = self._place.config
        reason = None
        if self._given is not None and (job.asks_model or job.runs_model(config)):
            reason = self._given(config)
        elif job.asks_model:
            reason = busy_reason(config)
        elif job.runs_model(config):
            reason = machine_busy(config)
        if reason is None:
            self._in_row = 0 if job.asks_model or job.runs_model(config) else self._in_row
            return None
        wait_s = min(LONGEST_BUSY_S, config.busy.wait_s * 2.0**self._in_row)
        self._in_row += 1
        return Hold(f"busy: {reason}", now + timedelta(seconds=wait_s))


def retry_s(failures: int) -> float:
    """Seconds until a job that failed so often in a row is tried again, if it isn't due before."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 10))
