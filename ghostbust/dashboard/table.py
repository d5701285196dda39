"""A table of the store's rows that can be filled again without losing its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable


@dataclass(frozen=True, slots=True)
class Line:
    """One row."""

    key: str
    """what it is the row of; the cursor stays on it"""
    cells: tuple[Text, ...]


class StoreTable(DataTable[Text]):
    """Rows under fixed columns; the cursor is a whole row."""

    def __init__(self, *columns: str, id: str) -> None:  # noqa: A002 (Textual's word)
        super().__init__(cursor_type="row", fixed_columns=1, id=id)
        self._labels = columns
        self._keys: list[str] = []

    @property
    def selected(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        return self._keys[self.cursor_row] if self._keys else None

    def fill(self, lines: Sequence[Line], *, keep_place: bool = True) -> None:
        """Shows these rows instead. The cursor stays on its row, or else on its line.

        ``keep_place=False`` goes to the top: for another order or search.
        """
        row, in_view = self._place([line.key for line in lines]) if keep_place else (0, True)
        x, y = (self.scroll_x, self.scroll_y) if keep_place else (0.0, 0.0)
        # Past the watchers, which would scroll to where the cursor is for a moment.
        self.set_reactive(DataTable.cursor_coordinate, Coordinate(0, 0))
        self.clear(columns=True)
        # Told, so that the table needn't find them out by rendering every cell.
        widths = [Text(label).cell_len for label in self._labels]
        for line in lines:
            widths = [max(w, text.cell_len) for w, text in zip(widths, line.cells, strict=True)]
        for label, width in zip(self._labels, widths, strict=True):
            self.add_column(label, width=width)
        for line in lines:
            self.add_row(*line.cells, key=line.key)
        self._keys = [line.key for line in lines]
        self.set_reactive(DataTable.cursor_coordinate, Coordinate(row, 0))
        self.scroll_to(x, y, animate=False, immediate=True)
        if in_view:
            self.move_cursor(row=row)

    def _place(self, keys: Sequence[str]) -> tuple[int, bool]:
        """The cursor's row among the new keys, and whether the old one is in view."""
        old = self.cursor_row
        top = self.scroll_offset.y
        in_view = top <= old < top + self.scrollable_content_region.height - self.header_height
        if self.selected in keys:
            return keys.index(self.selected), in_view
        return max(0, min(old, len(keys) - 1)), in_view
