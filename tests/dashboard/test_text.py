"""Nothing from the store reaches the terminal as anything but text."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from ghostbust.dashboard.widgets import amount, cell, clipped, day, figure, interval, percent, when
from ghostbust.text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("requests", "requests"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("ab\u202egpj", "ab\\u202egpj"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("包 é", "包 é"),
    ],
)
def test_unprintable_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_cell_holds_markup_as_plain_text() -> None:
    text = cell("[red]danger[/red][/]")

    assert text.plain == "[red]danger[/red][/]"
    assert text.spans == []


def test_no_value_is_a_dash_and_zero_is_zero() -> None:
    assert cell(None).plain == "–"
    assert cell(0).plain == "0"
    assert figure(0).justify == "right"


def test_clipping_keeps_what_fits() -> None:
    assert clipped("abcde", 5) == "abcde"
    assert clipped("abcdef", 5) == "abcd…"


def test_figures_and_their_absence() -> None:
    assert percent(0.286) == "28.6 %"
    assert percent(math.nan) == "–"
    assert interval((0.25, 0.321)) == "25.0–32.1 %"
    assert interval((math.nan, math.nan)) == "–"
    assert amount(0.123456) == "0.1235"
    assert amount(None) == amount(math.nan) == "–"


def test_times_are_shown_as_stored() -> None:
    at = datetime(2026, 12, 1, 8, 5, tzinfo=UTC)

    assert when(at) == "2026-12-01 08:05"
    assert day(at) == "2026-12-01"
    assert when(None) == day(None) == "–"
