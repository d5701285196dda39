"""Bars with intervals as SVG, for a report's page and for pictures that stand alone.

Drawn by hand, as the plots of `drawing` are: a page's bars follow its light or dark theme, and
their text stays text. The styles are in ``bars.css``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from ghostbust.evaluation.figures import Estimate
from ghostbust.reports.document import BarChart
from ghostbust.reports.drawing import nice_steps
from ghostbust.text import visible

WIDTH = 400
"""as wide as a phone, so that text isn't scaled down there"""
HEAD = 44
"""above the bars of a picture that stands alone: its title, and what is compared"""
LEFT, RIGHT = 58, 124
"""margins for the names of the groups and for the figures"""
BAR, BETWEEN, GROUP = 13, 3, 14
"""heights of a bar, of the gap below it, and of the gap between groups"""
STYLES = 3
"""colours in ``bars.css``"""


def bars_svg(chart: BarChart, *, standalone: bool = False) -> str:
    """The chart as an SVG element; ``standalone``: with title, legend and styles, for a file.

    Figures that aren't defined have a dash and no bar.
    """
    step = BAR + BETWEEN
    head = HEAD if standalone else 0
    height = head + (sum(len(group.figures) * step + GROUP for group in chart.groups) or GROUP)
    ends = [
        end
        for group in chart.groups
        for one in group.figures
        for end in (one.value, one.high)
        if math.isfinite(end)
    ]
    most = nice_steps(0.0, max(ends, default=1.0))[-1]
    lines = [
        f'<svg class="bars" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="{_text(described(chart))}" xmlns="http://www.w3.org/2000/svg">'
    ]
    if standalone:
        lines += _head(chart)
    top = head + GROUP / 2
    for group in chart.groups:
        middle = top + (len(group.figures) * step - BETWEEN) / 2 + 4
        lines.append(f'<text class="group" x="0" y="{middle:g}">{_text(group.name)}</text>')
        for number, one in enumerate(group.figures):
            lines += _bar(one, top + number * step, number % STYLES, most, chart.is_share)
        top += len(group.figures) * step + GROUP
    lines.append(f'<line class="zero" x1="{LEFT}" x2="{LEFT}" y1="{head}" y2="{height}"/>')
    return "\n".join([*lines, "</svg>"])


def _head(chart: BarChart) -> Iterator[str]:
    style = files("ghostbust.reports").joinpath("bars.css").read_text("utf-8")
    yield f"<style>{style}</style>"
    yield f'<text class="group" x="0" y="14">{_text(chart.title)}: {_text(chart.aim)}</text>'
    across = WIDTH / len(chart.series)
    for number, name in enumerate(chart.series):
        x = number * across
        yield f'<rect class="b{number % STYLES}" x="{x:g}" y="25" width="14" height="10"/>'
        yield f'<text x="{x + 20:g}" y="34">{_text(name)}</text>'


def _bar(one: Estimate, top: float, style: int, most: float, is_share: bool) -> Iterator[str]:
    def x(value: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * min(max(value, 0.0) / most, 1.0):.1f}"

    middle = top + BAR / 2
    if math.isfinite(one.value):
        width = float(x(one.value)) - LEFT
        yield f'<rect class="b{style}" x="{LEFT}" y="{top:g}" width="{width:.1f}" height="{BAR}"/>'
    if math.isfinite(one.low) and math.isfinite(one.high):
        low, high, upper, lower = x(one.low), x(one.high), middle - 3.5, middle + 3.5
        yield (
            f'<path class="reach" d="M{low} {middle:g}H{high}M{low} {upper:g}V{lower:g}'
            f'M{high} {upper:g}V{lower:g}"/>'
        )
    figure = _text(said(one, is_share=is_share))
    yield f'<text x="{WIDTH - RIGHT + 6}" y="{middle + 4:g}">{figure}</text>'


def said(one: Estimate, *, is_share: bool) -> str:
    """A figure with its interval, such as ``46 % (41–53)`` or ``0.27 (0.19–0.37)``."""
    if not math.isfinite(one.value):
        return "–"

    def digits(value: float) -> str:
        if not is_share:
            return f"{value:.2f}"
        return f"{100 * value:.1f}" if 0 < value < 0.0095 else f"{100 * value:.0f}"

    figure = f"{digits(one.value)} %" if is_share else digits(one.value)
    if not (math.isfinite(one.low) and math.isfinite(one.high)):
        return figure
    return f"{figure} ({digits(one.low)}–{digits(one.high)})"


def described(chart: BarChart) -> str:
    """The chart in words, every figure of it, for whoever can't see it."""
    groups = (
        f"{group.name}: "
        + ", ".join(
            f"{name} {said(one, is_share=chart.is_share)}"
            for name, one in zip(chart.series, group.figures, strict=True)
        )
        for group in chart.groups
    )
    return f"{chart.title}. {'; '.join(groups)}."


def _text(text: str) -> str:
    return escape(visible(text))
