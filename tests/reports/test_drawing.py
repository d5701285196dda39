"""Where the curves of a chart lie."""

from __future__ import annotations

from math import nan

import pytest

from ghostbust.evaluation.figures import Estimate
from ghostbust.reports.document import Chart, ChartCurve, CurvePoint
from ghostbust.reports.drawing import (
    BOTTOM,
    HEIGHT,
    LEFT,
    MARKED,
    RIGHT,
    TOP,
    WIDTH,
    draw,
    legend,
    nice_steps,
)  # fmt: skip


def chart(*ys: Estimate, from_zero: bool = True) -> Chart:
    points = tuple(CurvePoint(float(n), y) for n, y in enumerate(ys))
    ticks = {0.0: "first", len(ys) - 1.0: "last"}
    return Chart("t", "d", "x", "y", (ChartCurve("a", points),), ticks, from_zero)


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 0.37, [0, 0.1, 0.2, 0.3, 0.4]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (5, 5, [5, 6, 7, 8, 9, 10]),
        (1.2, 2.9, [1.0, 1.5, 2.0, 2.5, 3.0]),
    ],
)
def test_steps_are_round_and_hold_both_ends(low: float, high: float, steps: list[float]) -> None:
    assert nice_steps(low, high) == pytest.approx(steps)


def test_everything_lies_inside_of_the_box() -> None:
    drawn = draw(chart(Estimate(0.2, 0.1, 0.9), Estimate(0.5, 0.4, 0.6), Estimate(0.3, nan, nan)))
    (stroke,) = drawn.strokes
    assert stroke.marks[0][0] == LEFT
    assert stroke.marks[-1][0] == WIDTH - RIGHT
    assert len(stroke.bars) == 2  # the last has no interval
    for _, top, bottom in stroke.bars:
        assert TOP <= top < bottom <= HEIGHT - BOTTOM
    assert [tick.anchor for tick in drawn.x_ticks] == ["start", "end"]


def test_what_has_no_value_is_left_out_and_one_point_lies_in_the_middle() -> None:
    (stroke,) = draw(chart(Estimate(nan, nan, nan), Estimate(0.5, nan, nan))).strokes
    assert len(stroke.marks) == 1
    assert stroke.marks[0][0] == (LEFT + WIDTH - RIGHT) / 2


def test_a_long_line_has_no_marks_and_one_line_no_legend() -> None:
    drawn = draw(chart(*[Estimate(1.0 + n, nan, nan) for n in range(MARKED + 1)], from_zero=False))
    assert drawn.strokes[0].marks == ()
    assert len(drawn.strokes[0].path.split()) == MARKED + 1
    assert not legend(drawn.strokes)
