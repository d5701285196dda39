"""The tab with the ledger of invented names."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input, Static

from ghostbust.dashboard.reading import NAMES, Query, Snapshot
from ghostbust.dashboard.table import Line, StoreTable
from ghostbust.dashboard.text import cell, clipped, day, figure
from ghostbust.records import Hallucination, Verdict
from ghostbust.shown import came_back, redact
from ghostbust.store import NameOrder

LONGEST_NAME: Final = 60
"""characters of a name in the table"""
_STYLES: Final = {Verdict.ABSENT: "red", Verdict.SUSPECT: "magenta"}


class NamesPane(Vertical):
    """The names by the chosen order, redacted unless revealed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("/", "search", "Search"),
        ("s", "sort", "Sort"),
        ("v", "reveal", "Reveal"),
    ]

    class Asked(Message):
        """Another search or order was chosen."""

        def __init__(self, query: Query) -> None:
            super().__init__()
            self.query = query

    def __init__(self) -> None:
        super().__init__()
        self._query = Query()
        self._revealed = False
        self._snapshot: Snapshot | None = None
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line on what is listed, the search box, the table."""
        yield Static(id="names-title")
        yield Input(placeholder="search: part of a name", id="names-search", compact=True)
        yield StoreTable(
            "name", "in", "verdict", "reason", "seen", "prompts", "came back", "last", "claimed",
            "first",
            id="names-table",
        )  # fmt: skip

    def show(self, snapshot: Snapshot) -> None:
        """Shows the names of the snapshot."""
        self._snapshot = snapshot
        self.query_one("#names-title", Static).update(self._title(snapshot))
        shown = (snapshot.query, self._revealed, snapshot.names)
        if shown == self._shown:
            return
        same_list = self._shown[:1] == shown[:1]
        self._shown = shown
        lines = [self._line(name) for name in snapshot.names]
        self.query_one(StoreTable).fill(lines, keep_place=same_list)

    def action_search(self) -> None:
        """Goes to the search box; at once, so that what is typed next lands in it."""
        self.screen.set_focus(self.query_one(Input))

    def action_sort(self) -> None:
        """Lists by the next order."""
        orders = list(NameOrder)
        following = orders[(orders.index(self._query.order) + 1) % len(orders)]
        self._ask(Query(self._query.search, following))

    def action_reveal(self) -> None:
        """Shows the names, or redacts them again."""
        self._revealed = not self._revealed
        if self._snapshot is not None:
            self.show(self._snapshot)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Lists what contains the text, while it is typed."""
        self._ask(Query(event.value.strip(), self._query.order))

    def on_input_submitted(self) -> None:
        """Enter goes on to the table."""
        self.screen.set_focus(self.query_one(StoreTable))

    def _ask(self, query: Query) -> None:
        self._query = query
        self.post_message(self.Asked(query))

    def _title(self, snapshot: Snapshot) -> Text:
        listed = len(snapshot.names)
        amount = f"the first {listed}" if listed == NAMES else f"{listed}"
        order = snapshot.query.order.replace("_", " ")
        searched = f" with '{snapshot.query.search}'" if snapshot.query.search else ""
        hidden = "revealed" if self._revealed else "redacted, v reveals"
        return cell(f"{amount} of {snapshot.counts.names} names{searched}, by {order}; {hidden}")

    def _line(self, name: Hallucination) -> Line:
        text = _shown_name(name.name, revealed=self._revealed)
        cells = (
            text,
            cell(name.ecosystem),
            cell(name.verdict, _STYLES.get(name.verdict, "")),
            cell(name.reason, "bold red" if name.claimed_at else ""),
            figure(name.times_seen),
            figure(name.prompts),
            cell(came_back(name)),
            cell(day(name.last_seen)),
            cell(day(name.claimed_at), "bold red"),
            cell(day(name.first_seen)),
        )
        return Line(f"{name.ecosystem}:{name.name}", cells)


def _shown_name(name: str, *, revealed: bool) -> Text:
    """The name for the table: redacted, or as it is, cut off where it is very long."""
    return cell(clipped(name if revealed else redact(name), LONGEST_NAME))
