"""When a job is due next: each so many seconds, or by cron's five fields in a time zone.

A time that is past when it is looked at counts once, however often it came meanwhile: a machine
that slept through ten runs makes up for one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

_MINUTE: Final = timedelta(minutes=1)
_INSTANT: Final = timedelta(microseconds=1)


class Every(BaseTrigger):  # type: ignore[misc]
    """Each so many seconds, counted from the run before."""

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first time after ``now`` that is whole intervals behind ``previous``."""
        if previous is None:
            return now
        whole = max(0, floor((now - previous) / self._interval))
        return previous + self._interval * (whole + 1)


class Cron(BaseTrigger):  # type: ignore[misc]
    """By cron's five fields, on the wall clock of a time zone.

    APScheduler's own trigger fires without end in an hour that comes twice (3.11.3, 2026-11-28),
    so it is asked in UTC as if the wall's time were that, and the rest is done here. Where the
    clock goes forward, a time that is left out comes as much later. Where it goes back, a time
    that comes twice counts once; only a job of every hour runs in both.
    """

    def __init__(self, fields: str, zone: ZoneInfo) -> None:
        self._wall = CronTrigger.from_crontab(fields, timezone=UTC)
        self._zone = zone
        self._hourly = fields.split()[1].startswith("*")

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The first time after both; None where the fields hold none, as on 30 February."""
        after = now - _INSTANT if previous is None else max(previous, now)
        return self._next(after.astimezone(UTC))

    def _next(self, after: datetime) -> datetime | None:
        wall = after.astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        while True:
            found = self._wall.get_next_fire_time(None, wall + _INSTANT)
            if found is None:
                return None
            wall = found
            at = self._instant(found)
            if at > after:
                return self._in_second_hour(after, at) or at

    def _instant(self, wall: datetime) -> datetime:
        """When the wall's time is: the first of two, and as much behind a gap as it is in it."""
        return wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)

    def _in_second_hour(self, after: datetime, before: datetime) -> datetime | None:
        """A time of an hourly job between the two, in an hour that comes a second time."""
        begin, end = (moment.astimezone(self._zone) for moment in (after, before))
        turned = begin.utcoffset() != end.utcoffset() or begin.fold
        if not self._hourly or not turned:
            return None
        moment = after.replace(second=0, microsecond=0) + _MINUTE
        while moment < before:
            local = moment.astimezone(self._zone)
            wall = local.replace(tzinfo=UTC, fold=0)
            if local.fold and self._wall.get_next_fire_time(None, wall) == wall:
                return moment
            moment += _MINUTE
        return None
