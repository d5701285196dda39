"""Plots in characters: points with their intervals, and curves. Shapes tell as much as colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

LABEL: Final = 8
"""characters of the labels at the left"""
_BAR: Final = "│"


@dataclass(frozen=True, slots=True)
class Mark:
    """One point."""

    x: float
    y: float
    low: float = math.nan
    """lower end of its interval; NaN for none"""
    high: float = math.nan
    char: str = "●"
    style: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """Points in a frame that takes the width there is. Points without a value are left out."""

    marks: Sequence[Mark]
    rows: int
    said: Callable[[float], str]
    """a value of the y axis in at most ``LABEL`` - 1 characters"""
    left: str = ""
    """what stands below the axis at its left end"""
    right: str = ""
    from_zero: bool = True

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The rows, from the top, and the axis."""
        known = [mark for mark in self.marks if math.isfinite(mark.x) and math.isfinite(mark.y)]
        columns = max(1, options.max_width - LABEL)
        bottom, top = _ends(known, from_zero=self.from_zero)
        grid = [[(" ", "")] * columns for _ in range(self.rows)]
        across = _scale([mark.x for mark in known], columns)
        for mark in known:
            column = across(mark.x)
            for row in _covered(mark, bottom, top, self.rows):
                if grid[row][column][0] == " ":
                    grid[row][column] = (_BAR, mark.style)
        for mark in known:
            grid[_row(mark.y, bottom, top, self.rows)][across(mark.x)] = (mark.char, mark.style)
        labelled = {0: top, self.rows // 2: _value(self.rows // 2, bottom, top, self.rows)}
        labelled[self.rows - 1] = bottom
        for row, cells in enumerate(grid):
            value = labelled.get(row)
            line = Text(("" if value is None else self.said(value)).rjust(LABEL - 1) + "┤")
            for char, style in cells:
                line.append(char, style)
            line.no_wrap = True
            yield line
        yield Text(" " * (LABEL - 1) + "└" + "─" * columns, no_wrap=True, overflow="crop")
        gap = columns - len(self.left) - len(self.right)
        if gap > 0:
            yield Text(" " * LABEL + self.left + " " * gap + self.right, "dim", no_wrap=True)


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most ``most`` values: the means of equal stretches, so that a curve keeps its shape."""
    if len(values) <= most:
        return list(values)
    ends = [round(len(values) * n / most) for n in range(most + 1)]
    return [sum(values[a:b]) / (b - a) for a, b in pairwise(ends)]


def _ends(marks: Sequence[Mark], *, from_zero: bool) -> tuple[float, float]:
    values = [v for mark in marks for v in (mark.y, mark.low, mark.high) if math.isfinite(v)]
    low = 0.0 if from_zero else min(values, default=0.0)
    high = max(values, default=1.0)
    low = min(low, min(values, default=0.0))
    return (low, high) if high > low else (low, low + 1.0)


def _scale(xs: Sequence[float], columns: int) -> Callable[[float], int]:
    first, last = min(xs, default=0.0), max(xs, default=0.0)
    if first == last:
        return lambda _: columns // 2
    return lambda x: round((x - first) / (last - first) * (columns - 1))


def _row(value: float, bottom: float, top: float, rows: int) -> int:
    """The row of a value, 0 the highest."""
    share = (top - value) / (top - bottom)
    return min(max(round(share * (rows - 1)), 0), rows - 1)


def _value(row: int, bottom: float, top: float, rows: int) -> float:
    return top - (top - bottom) * row / max(1, rows - 1)


def _covered(mark: Mark, bottom: float, top: float, rows: int) -> range:
    """The rows of its interval."""
    if not (math.isfinite(mark.low) and math.isfinite(mark.high)):
        return range(0)
    return range(_row(mark.high, bottom, top, rows), _row(mark.low, bottom, top, rows) + 1)
