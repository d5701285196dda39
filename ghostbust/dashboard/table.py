"""A table of a tab, which can be filled again without losing its place.

Textual's DataTable renders each cell through Rich and measures those out of sight, too, which was
three quarters of the time that a sort took. Here a row is a line of short texts, made when it is
painted.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

HEADER: Final = 1
"""lines of the header"""
PADDING: Final = 2
"""characters around a cell, half of them at each side"""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a `StoreTable`."""

    key: Hashable
    """identifies the row, so that the cursor stays on it when the table is filled again"""
    cells: tuple[Text, ...]
    """of one line and one style each, as `cell` and `figure` make them"""


class StoreTable(ScrollView, can_focus=True):
    """Rows under fixed labels; the first column doesn't scroll, the cursor is a whole row.

    Columns that have a rank are left out where the screen is too narrow for them.
    """

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

    def __init__(
        self,
        *columns: str,
        ranked: Sequence[str] = (),
        id: str,  # noqa: A002 (Textual's word)
    ) -> None:
        """``ranked``: the columns that need room to be shown, the most important first."""
        super().__init__(id=id)
        self._labels = [Text(label) for label in columns]
        self._widths = [label.cell_len for label in self._labels]
        self._ranked = [columns.index(label) for label in ranked]
        self._columns_shown = list(range(len(columns)))
        """the columns on the screen, from the left"""
        self.rows: tuple[TableRow, ...] = ()
        self.cursor_row = 0
        self._hovered: int | None = None
        """the row under the mouse"""

    @property
    def selected(self) -> Any:
        """The key of the row under the cursor; None in an empty table."""
        return self.rows[self.cursor_row].key if self.rows else None

    def fill(self, rows: Sequence[TableRow], *, keep_place: bool = True) -> None:
        """Shows these rows instead, the cursor on the same row, or on the same line without it.

        ``keep_place=False`` goes to the top: for another order or search.
        """
        selected = self.selected
        keys = [row.key for row in rows]
        top = self.scroll_offset.y
        row, in_view, x, y = 0, True, 0, 0
        if keep_place:
            in_view = top <= self.cursor_row < top + self._rows_seen
            x, y = self.scroll_offset
            row = max(0, min(self.cursor_row, len(keys) - 1))
            if selected in keys:
                row = keys.index(selected)
        self.rows, self.cursor_row, self._hovered = tuple(rows), row, None
        columns = zip(*(row.cells for row in rows), strict=True)
        widths = [max(text.cell_len for text in column) for column in columns]
        labels = [label.cell_len for label in self._labels]
        self._widths = [max(pair) for pair in zip(labels, widths or labels, strict=True)]
        self._choose_columns()
        self.scroll_to(x, y, animate=False, force=True)
        if in_view:
            self._scroll_to_cursor()
        self.refresh()
        if self.selected != selected:
            self.post_message(self.Moved())

    def on_resize(self) -> None:
        self._choose_columns()
        self.refresh()

    def _choose_columns(self) -> None:
        """Leaves out each ranked column that doesn't fit whole beside those before it."""
        # As if there were a scroll bar: the columns don't change when it comes or goes.
        spare = self.styles.scrollbar_size_vertical + self.gutter.width
        room = self.outer_size.width - spare
        wide = [width + PADDING for width in self._widths]
        shown = [n for n in range(len(wide)) if n not in self._ranked]
        for n in self._ranked:
            if sum(wide[other] for other in shown) + wide[n] <= room:
                shown.append(n)
        self._columns_shown = sorted(shown)
        self.virtual_size = Size(sum(wide[n] for n in shown), HEADER + len(self.rows))

    def render_line(self, y: int) -> Strip:
        """A line of the screen: the header, a row, or nothing below the last one."""
        style_of = self.get_component_rich_style
        if y < HEADER:
            header = style_of("table--header")
            return self._painted(self._labels, header, header)
        row = self._row_at(y)
        if row is None:
            return Strip.blank(self.size.width, style_of("table--row"))
        first, rest = style_of("table--fixed"), style_of("table--row")
        for part, here in (("hover", self._hovered), ("cursor", self.cursor_row)):
            if row == here:
                first, rest = first + style_of(f"table--{part}"), rest + style_of(f"table--{part}")
        if row == self.cursor_row:
            first += style_of("table--fixed-cursor")
        marked = row in (self.cursor_row, self._hovered)
        return self._painted(self.rows[row].cells, first, rest, marked=marked)

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
        self._hover(self._row_at(event.y))

    def on_leave(self) -> None:
        self._hover(None)

    def action_choose(self) -> None:
        if self.rows:
            self.post_message(self.Chosen())

    def action_move(self, by: int) -> None:
        self._move_to(self.cursor_row + by)

    def action_page(self, by: int) -> None:
        """Scrolls by a screen, and moves the cursor by as many rows."""
        rows = by * max(1, self._rows_seen)
        self.scroll_to(y=self.scroll_offset.y + rows, animate=False, force=True)
        self._move_to(self.cursor_row + rows)

    def action_go(self, row: int) -> None:
        """Moves the cursor to a row; -1 is the last."""
        self._move_to(row if row >= 0 else len(self.rows) + row)

    def action_left_end(self) -> None:
        self.scroll_to(x=0, animate=False, force=True)

    def action_right_end(self) -> None:
        self.scroll_to(x=self.max_scroll_x, animate=False, force=True)

    def _move_to(self, row: int) -> None:
        """Puts the cursor on that row, or the nearest there is, and scrolls to it."""
        row = max(0, min(row, len(self.rows) - 1))
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
        return row if y >= HEADER and row < len(self.rows) else None

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

    def _painted(
        self, cells: Sequence[Text], first: Style, rest: Style, *, marked: bool = False
    ) -> Strip:
        """The cells side by side in a line of the table's width.

        ``marked``: the colour of ``first`` and ``rest`` goes over that of the cells.
        """
        side, segments = " " * (PADDING // 2), list[Segment]()
        for n in self._columns_shown:
            text, width, style = cells[n], self._widths[n], rest if segments else first
            space = " " * (width - cell_len(text.plain))
            plain = space + text.plain if text.justify == "right" else text.plain + space
            own = text.style if isinstance(text.style, Style) else Style.parse(text.style)
            painted = style + own + Style(color=style.color) if marked else style + own
            segments.append(Segment(side + plain + side, painted))
        fixed = self._widths[self._columns_shown[0]] + PADDING
        scrolled = Strip(segments[1:], self.virtual_size.width - fixed)
        if self.scroll_offset.x:
            scrolled = scrolled.crop(self.scroll_offset.x)
        joined = Strip([segments[0], *scrolled], fixed + scrolled.cell_length)
        return joined.adjust_cell_length(self.size.width, rest)
