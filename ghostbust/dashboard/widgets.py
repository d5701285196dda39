"""Values as they stand on the screen: nothing in them is obeyed by the terminal or as markup."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import ClassVar, Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ghostbust.text import visible

# --- table
# A table of the store's rows that can be filled again without losing its place.
#
# Textual's own DataTable renders each cell through Rich and measures those out of sight, too,
# which
# was three quarters of what a sort took. Here a row is a line of short texts, made as it is
# painted.

HEADER: Final = 1
"""lines of the header"""
PADDING: Final = 2
"""characters around a cell, half of them at each side"""


@dataclass(frozen=True, slots=True)
class Line:
    """One row."""

    key: str
    """what it is the row of; the cursor stays on it"""
    cells: tuple[Text, ...]
    """of one line and one style each, as `cell` and `figure` make them"""


class StoreTable(ScrollView, can_focus=True):
    """Rows under fixed labels; the first column doesn't scroll, the cursor is a whole row."""

    class Moved(Message):
        """Another row is under the cursor, or none."""

    class Chosen(Message):
        """Enter, or a click, on the row under the cursor."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Choose", show=False),
        Binding("up", "move(-1)", "Up", show=False),
        Binding("down", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+home", "go(0)", "First", show=False),
        Binding("ctrl+end", "go(-1)", "Last", show=False),
        Binding("home", "left_end", "Left end", show=False),
        Binding("end", "right_end", "Right end", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"table--{part}" for part in ("row", "header", "fixed", "hover", "cursor", "fixed-cursor")
    }
    DEFAULT_CSS = """
    StoreTable {
        background: $surface;
        color: $foreground;
        height: auto;
        max-height: 100%;
        & > .table--header { text-style: bold; background: $panel; color: $foreground; }
        & > .table--fixed { background: $secondary-muted; color: $foreground; }
        & > .table--hover { background: $block-hover-background; }
        & > .table--cursor {
            background: $block-cursor-blurred-background;
            color: $block-cursor-blurred-foreground;
            text-style: $block-cursor-blurred-text-style;
        }
        & > .table--fixed-cursor {
            background: $block-cursor-blurred-background;
            color: $foreground;
        }
        &:focus {
            background-tint: $foreground 5%;
            & > .table--header { background-tint: $foreground 5%; }
            & > .table--cursor {
                background: $block-cursor-background;
                color: $block-cursor-foreground;
                text-style: $block-cursor-text-style;
            }
            & > .table--fixed-cursor {
                background: $block-cursor-background;
                color: $block-cursor-foreground;
            }
        }
        &:ansi > .table--header { background: ansi_bright_blue; color: ansi_default; }
    }
    """

    def __init__(self, *columns: str, id: str) -> None:  # noqa: A002 (Textual's word)
        super().__init__(id=id)
        self._labels = [Text(label) for label in columns]
        self._widths = [label.cell_len for label in self._labels]
        self.lines: tuple[Line, ...] = ()
        """what it is filled with"""
        self.cursor_row = 0
        self._hovered: int | None = None
        """the row under the mouse"""

    @property
    def selected(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        return self.lines[self.cursor_row].key if self.lines else None

    def fill(self, lines: Sequence[Line], *, keep_place: bool = True) -> None:
        """Shows these rows instead. The cursor stays on its row, or else on its line.

        ``keep_place=False`` goes to the top: for another order or search.
        """
        selected = self.selected
        row, in_view = self._place([line.key for line in lines]) if keep_place else (0, True)
        x, y = self.scroll_offset if keep_place else (0, 0)
        self.lines, self.cursor_row, self._hovered = tuple(lines), row, None
        columns = zip(*(line.cells for line in lines), strict=True)
        widths = [max(text.cell_len for text in column) for column in columns]
        labels = [label.cell_len for label in self._labels]
        self._widths = [max(pair) for pair in zip(labels, widths or labels, strict=True)]
        self.virtual_size = Size(sum(self._widths) + PADDING * len(labels), HEADER + len(lines))
        self.scroll_to(x, y, animate=False, force=True)
        if in_view:
            self._scroll_to_cursor()
        self.refresh()
        if self.selected != selected:
            self.post_message(self.Moved())

    def render_line(self, y: int) -> Strip:
        """A line of the screen: the header, a row, or nothing below the last one."""
        look = self.get_component_rich_style
        if y < HEADER:
            return self._painted(self._labels, look("table--header"), look("table--header"))
        row = self._row_at(y)
        if row is None:
            return Strip.blank(self.size.width, look("table--row"))
        first, rest = look("table--fixed"), look("table--row")
        if row == self._hovered:
            first, rest = first + look("table--hover"), rest + look("table--hover")
        if row == self.cursor_row:
            first, rest = first + look("table--cursor"), rest + look("table--cursor")
            first += look("table--fixed-cursor")
        marked = row in (self.cursor_row, self._hovered)
        return self._painted(self.lines[row].cells, first, rest, marked=marked)

    def on_click(self, event: events.Click) -> None:
        """Moves the cursor there; where it is already, chooses the row."""
        row = self._row_at(event.y)
        if row is None:
            return
        if row == self.cursor_row:
            self.post_message(self.Chosen())
        self._move_to(row)
        self._hover(row)
        event.stop()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Marks the row under the mouse."""
        self._hover(self._row_at(event.y))

    def on_leave(self) -> None:
        """The mouse is elsewhere."""
        self._hover(None)

    def action_choose(self) -> None:
        """Tells that the row under the cursor is wanted."""
        if self.lines:
            self.post_message(self.Chosen())

    def action_move(self, by: int) -> None:
        """Moves the cursor by rows."""
        self._move_to(self.cursor_row + by)

    def action_page(self, by: int) -> None:
        """Moves the cursor, and what is seen, by as many rows as are seen."""
        rows = by * max(1, self._rows_seen)
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, force=True)
        self._move_to(self.cursor_row + rows)

    def action_go(self, row: int) -> None:
        """Moves the cursor to a row; -1 is the last."""
        self._move_to(row if row >= 0 else len(self.lines) + row)

    def action_left_end(self) -> None:
        """Shows the first columns."""
        self.scroll_to(x=0, animate=False, force=True)

    def action_right_end(self) -> None:
        """Shows the last columns."""
        self.scroll_to(x=self.max_scroll_x, animate=False, force=True)

    def _move_to(self, row: int) -> None:
        """Puts the cursor on that row, or the nearest there is, and shows it."""
        row = max(0, min(row, len(self.lines) - 1))
        self._hover(None)
        old, self.cursor_row = self.cursor_row, row
        if row != old:
            self._refresh_row(old)
            self._refresh_row(row)
            self.post_message(self.Moved())
        self._scroll_to_cursor()

    def _hover(self, row: int | None) -> None:
        if row != self._hovered:
            old, self._hovered = self._hovered, row
            self._refresh_row(old)
            self._refresh_row(row)

    def _refresh_row(self, row: int | None) -> None:
        if row is not None:
            y = HEADER + row - self.scroll_offset.y
            self.refresh(Region(0, y, self.size.width, 1))

    def _row_at(self, y: int) -> int | None:
        """The row on this line of the screen; None where there is none."""
        row = y - HEADER + self.scroll_offset.y
        return row if y >= HEADER and row < len(self.lines) else None

    @property
    def _rows_seen(self) -> int:
        """Rows that fit; below 0 before the table is on the screen."""
        return self.scrollable_content_region.height - HEADER

    def _scroll_to_cursor(self) -> None:
        top, seen = self.scroll_offset.y, self._rows_seen
        if self.cursor_row < top:
            self.scroll_to(y=self.cursor_row, animate=False, force=True)
        elif 0 < seen <= self.cursor_row - top:
            self.scroll_to(y=self.cursor_row - seen + 1, animate=False, force=True)

    def _place(self, keys: Sequence[str]) -> tuple[int, bool]:
        """The cursor's row among the new keys, and whether the old one is in view."""
        old, top = self.cursor_row, self.scroll_offset.y
        in_view = top <= old < top + self._rows_seen
        if self.selected in keys:
            return keys.index(self.selected), in_view
        return max(0, min(old, len(keys) - 1)), in_view

    def _painted(
        self, cells: Sequence[Text], first: Style, rest: Style, *, marked: bool = False
    ) -> Strip:
        """The cells side by side in a line of the table's width.

        ``marked``: the colour of ``first`` and ``rest`` goes over that of the cells.
        """
        styles = [first] + [rest] * (len(cells) - 1)
        segments = [
            Segment(_padded(text, width), _style(style, text, marked=marked))
            for text, width, style in zip(cells, self._widths, styles, strict=True)
        ]
        fixed = self._widths[0] + PADDING
        scrolled = Strip(segments[1:], self.virtual_size.width - fixed)
        if self.scroll_offset.x:
            scrolled = scrolled.crop(self.scroll_offset.x)
        joined = Strip([segments[0], *scrolled], fixed + scrolled.cell_length)
        return joined.adjust_cell_length(self.size.width, rest)


def _padded(text: Text, width: int) -> str:
    """The text in a column's width, with half the padding at each side."""
    side, space = " " * (PADDING // 2), " " * (width - cell_len(text.plain))
    shown = space + text.plain if text.justify == "right" else text.plain + space
    return side + shown + side


def _style(style: Style, text: Text, *, marked: bool) -> Style:
    """The row's style with the cell's own; the cell's colour is left out where it is marked."""
    own = text.style if isinstance(text.style, Style) else Style.parse(text.style)
    return style + own + Style(color=style.color) if marked else style + own


# --- plot
# Plots in characters: points with their intervals, and curves. Shapes tell as much as colours.

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


# --- text
# Values as they stand on the screen: nothing in them is obeyed by the terminal or as markup.

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
