"""Plots in characters: where points lie, and how curves are thinned."""

from __future__ import annotations

import math
from io import StringIO

from rich.console import Console

from ghostbust.dashboard.widgets import LABEL, Mark, Plot, thinned


def drawn(plot: Plot, width: int = LABEL + 11) -> list[str]:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(plot)
    return [line.partition("┤")[2].ljust(11) for line in out.getvalue().splitlines()[: plot.rows]]


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
    out = StringIO()
    plot = Plot([Mark(n, n) for n in range(500)], 4, str, "from here", "to there")
    Console(file=out, width=40, color_system=None).print(plot)

    assert max(len(line) for line in out.getvalue().splitlines()) == 40
    assert out.getvalue().splitlines()[-1].strip().startswith("from here")


def test_a_long_curve_is_thinned_by_means() -> None:
    assert thinned([1.0, 2.0], 5) == [1.0, 2.0]
    assert thinned([1.0, 3.0, 5.0, 7.0], 2) == [2.0, 6.0]
    assert len(thinned(list(range(1000)), 60)) == 60
