"""The window that `?` opens: every key, of the whole and of the tab in front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

MOVES = (
    ("1 … 7", "go to a tab"),
    ("arrows, PgUp, PgDn, Home, End", "move in it"),
    ("Tab, Shift+Tab", "next part of the screen"),
)


class KeysDialog(ModalScreen[None]):
    """Lists keys; any of Escape, q, ? or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)
    ]

    def __init__(self, sections: Sequence[tuple[str, Iterable[BindingType]]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        """One table of keys."""
        with VerticalScroll(id="keys"):
            yield Static(_table(self._sections))


def _table(sections: Sequence[tuple[str, Iterable[BindingType]]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(Text("everywhere", "bold"), Text("Escape closes this", "dim"))
    for key, what in MOVES:
        table.add_row(Text(key), Text(what))
    for title, bindings in sections:
        told = [b for b in bindings if isinstance(b, Binding) and b.description]
        if title and told:
            table.add_row(Text(title, "bold"), Text())
        for binding in told:
            key = {"question_mark": "?"}.get(binding.key, binding.key)
            table.add_row(Text(key), Text(binding.tooltip or binding.description))
    return table
