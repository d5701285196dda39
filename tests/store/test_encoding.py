"""Times sort as text and come back aware; NaN and odd settings don't slip into JSON."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ghostbust.store.connection import decode_time, encode_json, encode_time


def test_times_come_back_in_utc() -> None:
    at = datetime(2026, 12, 1, 1, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert encode_time(at) == "2026-11-30T23:30:00.000005+00:00"
    assert decode_time(encode_time(at)) == at
    assert decode_time(encode_time(at)).tzinfo is UTC


def test_times_sort_as_text_with_and_without_fractions() -> None:
    start = datetime(2026, 12, 1, tzinfo=UTC)
    times = [start + timedelta(milliseconds=250 * n) for n in range(9)]
    assert sorted(map(encode_time, times)) == [encode_time(at) for at in times]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        encode_time(datetime(2026, 12, 1))  # noqa: DTZ001


def test_equal_settings_are_equal_texts() -> None:
    assert encode_json({"b": 1, "a": [None, "ü"]}) == encode_json({"a": [None, "ü"], "b": 1})


@pytest.mark.parametrize("value", [math.nan, {1, 2}])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_json({"a": value})
