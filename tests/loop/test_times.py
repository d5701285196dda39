"""Each time that a schedule names comes once, also where the clock on the wall is turned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ghostbust.loop.daemon.table import Cron, Every

BERLIN = ZoneInfo("Europe/Berlin")


def fires(cron: str, begin: datetime, hours: int) -> list[str]:
    """When it comes, on the wall, with the offset from UTC."""
    trigger, previous, now, found = Cron(cron, BERLIN), None, begin, []
    while (at := trigger.get_next_fire_time(previous, now)) and at < begin + timedelta(hours=hours):
        found.append(f"{at.astimezone(BERLIN):%d %H:%M %z}")
        previous, now = at, at + timedelta(milliseconds=1)
        assert len(found) < 1000
    return found


AUTUMN = datetime(2026, 10, 24, 22, tzinfo=UTC)
"""midnight; the clock goes back from 3:00 to 2:00"""
SPRING = datetime(2027, 3, 27, 23, tzinfo=UTC)
"""midnight; the clock goes forward from 2:00 to 3:00"""


@pytest.mark.parametrize(
    ("cron", "begin", "hours", "expected"),
    [
        ("30 2 * * *", AUTUMN, 49, ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 2 * * *", SPRING, 47, ["28 03:30 +0200", "29 02:30 +0200"]),
        ("0 3 * * *", AUTUMN, 25, ["25 03:00 +0100"]),
        (
            "30 * * * *", AUTUMN + timedelta(hours=1), 4,
            ["25 01:30 +0200", "25 02:30 +0200", "25 02:30 +0100", "25 03:30 +0100"],
        ),
        ("30 1-3 * * *", SPRING, 6, ["28 01:30 +0100", "28 03:30 +0200"]),
        ("0 12 29 2 *", SPRING, 24 * 365, ["29 12:00 +0100"]),
    ],
)  # fmt: skip
def test_cron_where_the_clock_is_turned(
    cron: str, begin: datetime, hours: int, expected: list[str]
) -> None:
    assert fires(cron, begin, hours) == expected


def test_an_hourly_job_has_as_many_runs_as_the_day_has_hours() -> None:
    assert len(fires("15 * * * *", AUTUMN, 25)) == 25
    assert len(fires("15 * * * *", SPRING, 23)) == 23
    assert len(fires("*/10 * * * *", AUTUMN - timedelta(days=1), 24)) == 144


def test_what_was_passed_over_counts_once() -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    late = at + timedelta(hours=9, minutes=10)
    assert Every(3600).get_next_fire_time(at, late) == at + timedelta(hours=10)
    assert Every(3600).get_next_fire_time(at, at - timedelta(days=3)) == at + timedelta(hours=1)
    assert Cron("0 * * * *", ZoneInfo("UTC")).get_next_fire_time(at, late) == at.replace(hour=22)


def test_a_time_that_never_comes_is_none() -> None:
    assert Cron("0 0 30 2 *", BERLIN).get_next_fire_time(None, AUTUMN) is None
