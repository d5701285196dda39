"""The tab with the adapters, where a person decides on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from ghostbust.dashboard import decisions
from ghostbust.dashboard.dialog import ReasonDialog
from ghostbust.dashboard.reading import AdapterView, Snapshot
from ghostbust.dashboard.rounds_pane import STYLES
from ghostbust.dashboard.table import Line, StoreTable
from ghostbust.dashboard.text import amount, cell, figure, when
from ghostbust.errors import GhostbustError
from ghostbust.home import Home
from ghostbust.shown import visible


class AdaptersPane(Vertical):
    """Every adapter, newest first, the deployed one marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("a", "approve", "Approve"),
        ("x", "reject", "Reject"),
        ("r", "roll_back", "Roll back"),
    ]

    class Decided(Message):
        """The store has changed."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._home = home
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        """The table, and under it where the adapter lies."""
        yield StoreTable(
            "adapter", "serves", "round", "gates", "steps", "loss", "train s", "created",
            "method", id="adapters-table",
        )  # fmt: skip
        yield Static("no adapter yet", id="adapter-details")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the adapters of the snapshot."""
        old, self._snapshot = self._snapshot, snapshot
        if old is None or old.adapters != snapshot.adapters:
            self.query_one(StoreTable).fill([_line(view) for view in snapshot.adapters])
            self._show_details()

    def on_data_table_row_highlighted(self) -> None:
        """The cursor moved."""
        self._show_details()

    def action_approve(self) -> None:
        """Asks why, then lets the adapter under the cursor serve."""
        name = self._selected_name()
        if name is not None:
            self._decide(f"Let {name} serve?", partial(decisions.approve, self._home, name))

    def action_reject(self) -> None:
        """Asks why, then turns the adapter under the cursor down."""
        name = self._selected_name()
        if name is not None:
            self._decide(f"Reject {name}?", partial(decisions.reject, self._home, name))

    def action_roll_back(self) -> None:
        """Asks why, then lets serve what served before."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.deployed is None:
            self.notify("the base serves: there is nothing to roll back", severity="warning")
            return
        self._decide(
            f"Roll back {snapshot.deployed} to {snapshot.previous or 'the base'}?",
            partial(decisions.roll_back, self._home, snapshot.deployed),
        )

    @work
    async def _decide(self, question: str, decision: Callable[[str], str]) -> None:
        """Asks for a reason, decides in a thread of its own, and says what came of it."""
        reason = await self.app.push_screen_wait(ReasonDialog(question))
        if reason is None:
            return
        try:
            outcome = await asyncio.to_thread(decision, reason)
        except GhostbustError as exc:
            self.notify(visible(str(exc)), severity="error", timeout=10, markup=False)
        else:
            self.notify(visible(outcome), markup=False)
        self.post_message(self.Decided())

    def _selected_name(self) -> str | None:
        name = self.query_one(StoreTable).selected
        if name is None:
            self.notify("there is no adapter yet", severity="warning")
        return name

    def _show_details(self) -> None:
        selected = self.query_one(StoreTable).selected
        for view in self._snapshot.adapters if self._snapshot else ():
            candidate = view.row.candidate
            if candidate.name == selected:
                state = f"round {view.round.id}, {view.round.state}: {view.round.reason}"
                details = Text("\n").join([cell(candidate.path), cell(state)])
                self.query_one("#adapter-details", Static).update(details)


def _line(view: AdapterView) -> Line:
    row, candidate = view.row, view.row.candidate
    state = view.round.state
    cells = (
        cell(candidate.name),
        cell("● serves" if view.deployed else "", "bold green"),
        cell(f"{row.round_id} {state}", STYLES.get(state, "")),
        cell(row.verdict, STYLES[row.verdict] if row.verdict else ""),
        figure(candidate.steps),
        figure(amount(candidate.final_loss)),
        figure(amount(candidate.train_s)),
        cell(when(row.created)),
        cell(candidate.method),
    )
    return Line(candidate.name, cells)
