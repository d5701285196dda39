"""Where the curves of a chart lie, in the units of its SVG, which the page's template writes.

Not drawn by matplotlib: so a page follows the reader's light or dark theme, and its text stays
text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ghostbust.reports.document import Chart, ChartCurve

WIDTH, HEIGHT = 480, 270
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 50
"""margins, with room for the labels of the axes"""
GRID = 5
"""steps of the y axis at most, but for the outermost"""
MARKED = 60
"""a curve of more points has no marks: they would hide it"""
STYLES = 8
"""colours and dashes in ``report.css``"""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis."""

    at: float
    text: str
    anchor: str = "middle"
    """SVG's text-anchor"""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One curve, drawn."""

    name: str
    style: int
    """number of its colour and dashes"""
    path: str
    """``points`` of a polyline"""
    marks: tuple[tuple[float, float], ...]
    bars: tuple[tuple[float, float, float], ...]
    """x, top and bottom of each interval"""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart in a box of ``WIDTH`` by ``HEIGHT``."""

    chart: Chart
    strokes: tuple[Stroke, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps values to the box; a single value lies in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.low == self.high:
            return round((self.start + self.end) / 2, 1)
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def draw(chart: Chart) -> Drawing:
    """The chart's geometry. Points without a value are left out."""
    points = [
        point for curve in chart.lines for point in curve.points if math.isfinite(point.y.value)
    ]
    ends = [
        end
        for point in points
        for end in (point.y.value, point.y.low, point.y.high)
        if math.isfinite(end)
    ]
    steps = nice_steps(0.0 if chart.from_zero else min(ends, default=0), max(ends, default=1))
    xs = [point.x for point in points]
    x = _Scale(min(xs, default=0), max(xs, default=1), LEFT, WIDTH - RIGHT)
    y = _Scale(steps[0], steps[-1], HEIGHT - BOTTOM, TOP)
    decimals = max(0, -math.floor(math.log10(steps[1] - steps[0])))
    labels = sorted(chart.ticks.items())
    return Drawing(
        chart,
        tuple(_stroke(curve, number % STYLES, x, y) for number, curve in enumerate(chart.lines)),
        tuple(
            Tick(x(at), text, _anchor(place, len(labels)))
            for place, (at, text) in enumerate(labels)
        ),
        tuple(Tick(y(step), f"{step:.{decimals}f}", "end") for step in steps),
    )


def nice_steps(low: float, high: float) -> list[float]:
    """At least two round numbers, evenly spaced, that hold both."""
    if not high > low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / GRID
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * number for number in range(first, max(last, first + 1) + 1)]


def _stroke(curve: ChartCurve, style: int, x: _Scale, y: _Scale) -> Stroke:
    points = [point for point in curve.points if math.isfinite(point.y.value)]
    places = tuple((x(point.x), y(point.y.value)) for point in points)
    bars = tuple(
        (x(point.x), y(point.y.high), y(point.y.low))
        for point in points
        if math.isfinite(point.y.low) and math.isfinite(point.y.high)
    )
    path = " ".join(f"{across},{down}" for across, down in places)
    return Stroke(curve.name, style, path, places if len(places) <= MARKED else (), bars)


def _anchor(place: int, of: int) -> str:
    """The first label begins at its tick and the last ends there, so that none is cut off."""
    if of < 2:
        return "middle"
    return {0: "start", of - 1: "end"}.get(place, "middle")


def legend(strokes: Sequence[Stroke]) -> bool:
    """Whether the curves need a legend: there are several."""
    return any(a.name != b.name for a, b in pairwise(strokes))
