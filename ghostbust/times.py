"""Times as the settings write them: intervals such as ``6h``, and windows of the day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

OFF: Final = "off"
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EVERY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds_of(every: str) -> float | None:
    """The seconds of ``90s``, ``15m``, ``6h`` or ``1d``; None for ``off``. Raises ValueError."""
    if every == OFF:
        return None
    match = _EVERY.fullmatch(every.strip())
    seconds = 0.0 if match is None else float(match[1]) * _UNITS[match[2]]
    if not seconds:
        raise ValueError("should be a time such as 90s, 15m, 6h or 1d, or off")
    return seconds


def in_words(seconds: float) -> str:
    """A duration for people: ``40 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW: Final = re.compile(r"(?:([a-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d)", re.I)
_DAY_MINUTES: Final = 24 * 60
_MINUTE: Final = timedelta(minutes=1)
_LONGEST: Final = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of certain days."""

    days: frozenset[int]
    """on which it begins; Monday is 0"""
    begins: int
    """minute of the day, its first"""
    ends: int
    """minute of the day behind its last; not later than `begins`: on the next day"""

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``22:00-06:00``, ``mon-fri 09:00-18:00`` or ``sat,sun 00:00-24:00``.

        Raises ValueError, which says what is expected.
        """
        match = _WINDOW.fullmatch(text.strip())
        wrong = ValueError("should be a window such as 22:00-06:00 or mon-fri 09:00-18:00")
        if match is None:
            raise wrong
        days = frozenset(range(7)) if match[1] is None else _days(match[1].lower())
        begins, ends = (int(match[n]) * 60 + int(match[n + 1]) for n in (2, 4))
        if not days or begins >= _DAY_MINUTES or ends > _DAY_MINUTES or begins == ends:
            raise wrong
        if int(match[3]) >= 60 or int(match[5]) >= 60:
            raise wrong
        return cls(days, begins, ends)

    def holds(self, wall: datetime) -> bool:
        """Whether a time on the wall is inside."""
        minute, day = wall.hour * 60 + wall.minute, wall.weekday()
        if self.begins < self.ends:
            return day in self.days and self.begins <= minute < self.ends
        if minute >= self.begins:
            return day in self.days
        return minute < self.ends and (day - 1) % 7 in self.days


def _days(text: str) -> frozenset[int]:
    """The days of ``mon-fri`` or ``sat,sun``; empty for what isn't such."""
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            return frozenset()
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return frozenset(found)


@dataclass(frozen=True)
class QuietHours:
    """When no job may work."""

    windows: tuple[Window, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, windows: Iterable[str], zone: str) -> Self:
        """From the settings. Raises ValueError for a window that can't be read."""
        return cls(tuple(map(Window.parse, windows)), ZoneInfo(zone))

    def holds(self, at: datetime) -> bool:
        """Whether it is quiet at the moment. An hour that comes twice is quiet both times."""
        if not self.windows:
            return False
        wall = at.astimezone(self.zone)
        return any(window.holds(wall) for window in self.windows)

    def end(self, at: datetime) -> datetime:
        """The first minute from ``at`` on that isn't quiet, in UTC; after 8 days at the latest."""
        moment = at.astimezone(UTC)
        if not self.holds(moment):
            return moment
        moment = moment.replace(second=0, microsecond=0)
        while self.holds(moment) and moment - at < _LONGEST:
            moment += _MINUTE
        return moment
