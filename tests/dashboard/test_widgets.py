"""Plots in characters, and cells that nothing obeys."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from ghostbust.dashboard.widgets import (
    LABEL,
    Mark,
    Plot,
    amount,
    cell,
    clipped,
    day,
    figure,
    interval,
    percent,
    thinned,
    when,
)
from tests.dashboard.board import printed


def drawn(plot: Plot, width: int = LABEL + 11) -> list[str]:
    lines = printed(plot, width).splitlines()[: plot.rows]
    return [line.partition("┤")[2].ljust(11) for line in lines]


def test_points_lie_where_their_values_are() -> None:
    marks = [Mark(0, 0.0, char="a"), Mark(5, 0.5, char="b"), Mark(10, 1.0, char="c")]
    rows = drawn(Plot(marks, 5, str))

    assert rows[0] == "          c"
    assert rows[2] == "     b     "
    assert rows[4] == "a          "


def test_an_interval_is_a_line_from_end_to_end() -> None:
    rows = drawn(Plot([Mark(0, 0.5, 0.25, 1.0, "x")], 5, str))

    assert [row.strip() for row in rows] == ["│", "│", "x", "│", ""]


def test_points_without_a_value_are_left_out_and_nothing_is_drawn_of_nothing() -> None:
    assert set("".join(drawn(Plot([Mark(0, math.nan)], 3, str)))) == {" "}
    assert set("".join(drawn(Plot([], 3, str)))) == {" "}


def test_no_line_is_longer_than_the_width() -> None:
    plot = Plot([Mark(n, n) for n in range(500)], 4, str, "from here", "to there")
    lines = printed(plot, 40).splitlines()

    assert max(map(len, lines)) == 40
    assert lines[-1].strip().startswith("from here")


def test_a_long_curve_is_thinned_by_means() -> None:
    assert thinned([1.0, 2.0], 5) == [1.0, 2.0]
    assert thinned([1.0, 3.0, 5.0, 7.0], 2) == [2.0, 6.0]
    assert len(thinned(list(range(1000)), 60)) == 60


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
