"""The tab with the adapters, where a person decides on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.config import Config
from ghostbust.dashboard import decisions
from ghostbust.dashboard.decisions import DecidingPane
from ghostbust.dashboard.reading import AdapterView, Snapshot
from ghostbust.dashboard.rounds_pane import STYLES
from ghostbust.dashboard.widgets import Line, StoreTable, amount, cell, figure, when
from ghostbust.home import Home
from ghostbust.records import Promotion
from ghostbust.store.rounds import RoundState

MOVES: Final = 50
"""moves of the deployed pointer that are listed, the newest"""


class AdaptersPane(DecidingPane):
    """Every adapter, newest first, the deployed one marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve"),
        Binding("x", "reject", "Reject"),
        Binding("r", "roll_back", "Roll back"),
    ]

    def __init__(self, home: Home, config: Config) -> None:
        super().__init__()
        self._home, self._config = home, config
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        """The table, under it where the adapter lies, and what served when and why."""
        yield Static(id="adapters-title")
        yield StoreTable(
            "adapter", "serves", "round", "gates", "steps", "loss", "train s", "created",
            "method", id="adapters-table",
        )  # fmt: skip
        yield Static("no adapter yet", id="adapter-details")
        with VerticalScroll(id="moves-scroll", can_focus=False):
            yield Static(id="adapter-moves")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the adapters of the snapshot."""
        old, self._snapshot = self._snapshot, snapshot
        if old is None or (old.adapters, old.moves) != (snapshot.adapters, snapshot.moves):
            self.query_one(StoreTable).fill([_line(view) for view in snapshot.adapters])
            self._show_details()
            waiting = sum(v.round.state is RoundState.WAITING for v in snapshot.adapters)
            title = cell(
                f"serves: {snapshot.deployed or 'the base'}; waiting for approval: {waiting}",
                "bold yellow" if waiting else "bold",
            )
            self.query_one("#adapters-title", Static).update(title)
            self.query_one("#adapter-moves", Static).update(moves(snapshot.moves))

    def on_store_table_moved(self) -> None:
        """The cursor moved."""
        self._show_details()

    def action_approve(self) -> None:
        """Asks why, then lets the adapter under the cursor serve."""
        name = self._selected_name()
        if name is not None:
            approve = partial(decisions.approve, self._home, name, config=self._config)
            self.decide(f"Let {name} serve?", approve)

    def action_reject(self) -> None:
        """Asks why, then turns the adapter under the cursor down."""
        name = self._selected_name()
        if name is not None:
            self.decide(f"Reject {name}?", partial(decisions.reject, self._home, name))

    def action_roll_back(self) -> None:
        """Asks why, then lets serve what served before."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.deployed is None:
            self.notify("the base serves: there is nothing to roll back", severity="warning")
            return
        self.decide(
            f"Roll back {snapshot.deployed} to {snapshot.previous or 'the base'}?",
            partial(decisions.roll_back, self._home, snapshot.deployed, config=self._config),
        )

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


def moves(log: Sequence[Promotion]) -> RenderableType:
    """What served, newest first, with the reasons."""
    lines = [
        cell(
            f"{when(move.at)} {move.kind}: {move.adapter or 'the base'} serves,"
            f" before it {move.previous or 'the base'}: {move.reason}"
        )
        for move in log[:MOVES]
    ]
    return Group(*lines) if lines else Text("nothing was promoted yet", "dim")


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
