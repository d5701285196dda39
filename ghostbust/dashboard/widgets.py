"""What screens are built of without Textual: cells of text, bare tables, plots in characters.

Names, reasons and answers come from models and registries. `cell`, `figure` and `visible_lines`
keep what is in them from being obeyed by the terminal, or read as markup.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from ghostbust.text import visible

MISSING: Final = "–"
"""stands where there is no value"""


def cell(value: object, style: str = "") -> Text:
    """Any value made `visible`; brackets in it are no markup. None is a dash."""
    return Text(MISSING if value is None else visible(str(value)), style)


def visible_lines(text: str) -> str:
    """A text of several lines made `visible`; its line ends and tabs stay, tabs as spaces."""
    return "\n".join(visible(line.expandtabs(4)) for line in text.split("\n"))


def figure(value: object, style: str = "") -> Text:
    """A `cell` whose value stands at its right, for columns of figures."""
    text = cell(value, style)
    text.justify = "right"
    return text


def clipped(text: str, most: int) -> str:
    """The text, or its first characters and an ellipsis: ``most`` in all."""
    return text if len(text) <= most else text[: most - 1] + "…"


def percent(rate: float) -> str:
    """A rate in [0, 1], such as ``28.6 %``; a dash for NaN."""
    return MISSING if math.isnan(rate) else f"{100 * rate:.1f} %"


def interval(bounds: tuple[float, float]) -> str:
    """An interval of rates, such as ``25.0–32.1 %``; a dash where it is NaN."""
    low, high = bounds
    return MISSING if math.isnan(low + high) else f"{100 * low:.1f}–{100 * high:.1f} %"


def amount(value: float | None) -> str:
    """A figure with at most four significant digits; a dash for None and NaN."""
    return MISSING if value is None or math.isnan(value) else f"{value:.4g}"


def when(at: datetime | None) -> str:
    """Day and minute as stored (UTC); a dash for None."""
    return MISSING if at is None else at.strftime("%Y-%m-%d %H:%M")


def day(at: datetime | None) -> str:
    """The day as stored (UTC); a dash for None."""
    return MISSING if at is None else at.strftime("%Y-%m-%d")


def bare_table(*, gap: int = 2, header: bool = True) -> Table:
    """A table without lines; ``gap``: blanks between its columns."""
    return Table(
        box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold", show_header=header
    )


# Plots. Shapes say as much as colours do, which a terminal may not have.

LABEL: Final = 8
"""characters of the labels at the left"""


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
    label: Callable[[float], str]
    """writes a value of the y axis in at most ``LABEL`` - 1 characters"""
    left: str = ""
    """stands below the axis at its left end"""
    right: str = ""
    from_zero: bool = True

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The rows, from the top, and the axis."""
        known = [mark for mark in self.marks if math.isfinite(mark.x) and math.isfinite(mark.y)]
        columns = max(1, options.max_width - LABEL)
        first = min((mark.x for mark in known), default=0.0)
        last = max((mark.x for mark in known), default=0.0)
        ends = [v for mark in known for v in (mark.y, mark.low, mark.high) if math.isfinite(v)]
        bottom, top = min(ends, default=0.0), max(ends, default=1.0)
        if self.from_zero:
            bottom = min(bottom, 0.0)
        if top <= bottom:
            top = bottom + 1.0

        def column_of(x: float) -> int:
            if first == last:
                return columns // 2
            return round((x - first) / (last - first) * (columns - 1))

        def row_of(y: float) -> int:
            row = round((top - y) / (top - bottom) * (self.rows - 1))
            return min(max(row, 0), self.rows - 1)

        grid = [[(" ", "")] * columns for _ in range(self.rows)]
        for mark in known:
            if math.isfinite(mark.low) and math.isfinite(mark.high):
                for row in range(row_of(mark.high), row_of(mark.low) + 1):
                    if grid[row][column_of(mark.x)][0] == " ":
                        grid[row][column_of(mark.x)] = ("│", mark.style)
        for mark in known:  # after the intervals, which would hide points of other marks
            grid[row_of(mark.y)][column_of(mark.x)] = (mark.char, mark.style)

        half = self.rows // 2
        labelled = {0: top, half: top - (top - bottom) * half / max(1, self.rows - 1)}
        labelled[self.rows - 1] = bottom
        for row, cells in enumerate(grid):
            value = labelled.get(row)
            line = Text(("" if value is None else self.label(value)).rjust(LABEL - 1) + "┤")
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
