"""The time, passed in, so that a day of the schedule can be driven in a second."""

from __future__ import annotations

import time
from datetime import datetime
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
