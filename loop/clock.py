"""The time, passed in, so that a day of the schedule can be driven in a second."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from ghostbust.records import utc_now


class Clock(Protocol):
    """What time it is, and how much of it went by."""

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


class ClockZone(tzinfo):
    """UTC as a clock has it: ``datetime.now(ClockZone(clock))`` is the clock's time.

    APScheduler 3.11 asks ``datetime.now(scheduler.timezone)`` and has no other place for a clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def fromutc(self, at: datetime) -> datetime:  # noqa: ARG002
        """The clock's time, whatever the system's is."""
        return self._clock.now().astimezone(UTC)

    def utcoffset(self, at: datetime | None) -> timedelta:  # noqa: ARG002
        """None from UTC."""
        return timedelta(0)

    def dst(self, at: datetime | None) -> timedelta:  # noqa: ARG002
        """No summer time."""
        return timedelta(0)

    def tzname(self, at: datetime | None) -> str:  # noqa: ARG002
        """UTC."""
        return "UTC"
