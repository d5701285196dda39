"""Times and names as logs write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.loop.ingest.formats import MOST_LABEL, label, time_of

NINE = datetime(2026, 11, 28, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["2026-11-28T09:00:00Z", "2026-11-28 10:00:00+01:00", "2026-11-28T09:00:00",
     NINE.timestamp(), int(NINE.timestamp() * 1000)],
)  # fmt: skip
def test_a_time(written: object) -> None:
    assert time_of({"time": written}, "time") == NINE


@pytest.mark.parametrize("written", ["yesterday", True, None, 1e300, float("nan"), [1]])
def test_a_time_that_cant_be_read_is_none(written: object) -> None:
    assert time_of({"time": written}, "time") is None


def test_the_first_key_that_can_be_read_counts() -> None:
    assert time_of({"a": "soon", "b": "2026-11-28T09:00:00Z"}, "a", "b") == NINE
    assert label({"a": " ", "b": 12, "c": "x"}, "a", "b", "c") == "12"
    assert label({"a": True}, "a") is None


def test_a_long_name_is_cut() -> None:
    assert len(label({"a": "x" * 9999}, "a") or "") == MOST_LABEL
