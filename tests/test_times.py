"""Quiet hours by the clock on the wall, over midnight, weekends and summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ghostbust.times import QuietHours, Window

SATURDAY = datetime(2026, 11, 28, tzinfo=UTC)


def quiet(*windows: str, zone: str = "UTC") -> QuietHours:
    return QuietHours.of(windows, zone)


def test_a_window_holds_its_first_minute_and_not_its_last() -> None:
    hours = quiet("09:00-10:30")
    times = [(8, 59), (9, 0), (10, 29), (10, 30)]
    held = [hours.holds(SATURDAY.replace(hour=h, minute=m, second=59)) for h, m in times]
    assert held == [False, True, True, False]
    assert hours.end(SATURDAY.replace(hour=9, second=7)) == SATURDAY.replace(hour=10, minute=30)
    assert hours.end(SATURDAY) == SATURDAY, "it isn't quiet"


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    hours = quiet("fri 22:00-06:00")
    assert hours.holds(SATURDAY.replace(hour=5, minute=59))
    assert not hours.holds(SATURDAY.replace(hour=23))
    assert hours.end(SATURDAY) == SATURDAY.replace(hour=6)


def test_days_are_ranges_and_lists() -> None:
    week = [SATURDAY + timedelta(days=day, hours=12) for day in range(7)]
    assert [quiet("mon-fri 09:00-18:00").holds(day) for day in week] == [False] * 2 + [True] * 5
    assert [quiet("sat,sun 00:00-24:00").holds(day) for day in week] == [True] * 2 + [False] * 5
    assert [quiet("fri-mon 00:00-24:00").holds(day) for day in week] == [
        True, True, True, False, False, False, True
    ]  # fmt: skip


def test_windows_that_touch_end_with_the_last() -> None:
    hours = quiet("22:00-24:00", "00:00-06:00")
    assert hours.end(SATURDAY.replace(hour=22)) == SATURDAY.replace(hour=6) + timedelta(days=1)


def test_always_quiet_ends_somewhen() -> None:
    assert quiet("00:00-24:00").end(SATURDAY) == SATURDAY + timedelta(days=8)


def test_the_hour_that_comes_twice_is_quiet_twice_and_the_missing_one_never() -> None:
    hours = quiet("02:00-03:00", zone="Europe/Berlin")
    autumn = datetime(2026, 10, 25, tzinfo=UTC)
    assert hours.end(autumn) - autumn == timedelta(hours=2)
    spring = datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert not any(hours.holds(spring + timedelta(minutes=n)) for n in range(-60, 60))


@pytest.mark.parametrize(
    "text",
    ["", "9-10", "25:00-26:00", "10:00-10:00", "10:70-11:00", "mo 10:00-11:00", "24:00-06:00"],
)
def test_what_is_no_window_says_what_one_is(text: str) -> None:
    with pytest.raises(ValueError, match="should be a window such as 22:00-06:00"):
        Window.parse(text)
