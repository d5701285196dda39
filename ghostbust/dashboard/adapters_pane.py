"""The tab with the adapters, where a person decides which one serves."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
from ghostbust.dashboard.pane import ListPane
from ghostbust.dashboard.reading import AdapterView, StoreSnapshot
from ghostbust.dashboard.rounds_pane import STYLES
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import amount, cell, figure, when
from ghostbust.home import Home
from ghostbust.records import Promotion
from ghostbust.store.rounds import RoundState

MOVES: Final = 50
"""moves of the deployed pointer that are listed, the newest"""


class AdaptersPane(ListPane):
    """Every adapter, newest first, the deployed one marked; below, where the one under the cursor
    lies, and what served when and why.
    """

    tab, field, in_every_snapshot = "adapters", "adapter", True
    columns = (
        "adapter", "serves", "round", "gates", "steps", "loss", "train s", "created", "method",
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve"),
        Binding("x", "reject", "Reject"),
        Binding("r", "roll_back", "Roll back"),
    ]

    def __init__(self, home: Home, config: Config) -> None:
        super().__init__()
        self._home, self._config = home, config

    def compose(self) -> ComposeResult:
        yield Static(id="adapters-title")
        yield StoreTable(*self.columns, id="adapters-table")
        yield Static("no adapter yet", id="adapter-details")
        with VerticalScroll(id="moves-scroll", can_focus=False):
            yield Static(id="adapter-moves")

    def show(self, snapshot: StoreSnapshot) -> None:
        old = self.snapshot
        super().show(snapshot)
        if old is None or old.moves != snapshot.moves:
            self.query_one("#adapter-moves", Static).update(moves_text(snapshot.moves))

    def title(self, snapshot: StoreSnapshot) -> Text:
        waiting = sum(view.round.state is RoundState.WAITING for view in snapshot.adapters)
        return cell(
            f"serves: {snapshot.deployed or 'the base'}; waiting for approval: {waiting}",
            "bold yellow" if waiting else "bold",
        )

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        return (), (snapshot.adapters, snapshot.deployed)

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        return [_row(view, snapshot.deployed) for view in snapshot.adapters]

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        selected = self.query_one(StoreTable).selected
        return tuple(v for v in snapshot.adapters if v.row.candidate.name == selected)

    def details(self, *views: AdapterView) -> RenderableType:
        lines = []
        for view in views:
            one = view.round
            lines.append(cell(view.row.candidate.path))
            lines.append(cell(f"round {one.id}, {one.state}: {one.reason}"))
        return Text("\n").join(lines or [Text("no adapter yet")])

    def moved(self) -> None:
        self.show_details()  # nothing is to be read for them

    def action_approve(self) -> None:
        """Asks why, then lets the adapter under the cursor serve."""
        name = self._selected_name()
        if name is not None:
            approve = partial(decisions.approve, self._home, name, config=self._config)
            self.decide(f"Let {name} serve?", approve)

    def action_reject(self) -> None:
        """Asks why, then rejects the adapter under the cursor."""
        name = self._selected_name()
        if name is not None:
            self.decide(f"Reject {name}?", partial(decisions.reject, self._home, name))

    def action_roll_back(self) -> None:
        """Asks why, then lets what served before serve again."""
        snapshot = self.snapshot
        if snapshot is None or snapshot.deployed is None:
            self.notify("the base serves: there is nothing to roll back", severity="warning")
            return
        self.decide(
            f"Roll back {snapshot.deployed} to {snapshot.previous or 'the base'}?",
            partial(decisions.roll_back, self._home, snapshot.deployed, config=self._config),
        )

    def _selected_name(self) -> str | None:
        name: str | None = self.query_one(StoreTable).selected
        if name is None:
            self.notify("there is no adapter yet", severity="warning")
        return name


def moves_text(log: Sequence[Promotion]) -> RenderableType:
    """What served, newest first, with the reasons."""
    lines = [
        cell(
            f"{when(move.at)} {move.kind}: {move.adapter or 'the base'} serves,"
            f" before it {move.previous or 'the base'}: {move.reason}"
        )
        for move in log[:MOVES]
    ]
    return Group(*lines) if lines else Text("nothing was promoted yet", "dim")


def _row(view: AdapterView, deployed: str | None) -> TableRow:
    row, candidate, state = view.row, view.row.candidate, view.round.state
    cells = (
        cell(candidate.name),
        cell("● serves" if candidate.name == deployed else "", "bold green"),
        cell(f"{row.round_id} {state}", STYLES.get(state, "")),
        cell(row.verdict, STYLES[row.verdict] if row.verdict else ""),
        figure(candidate.steps),
        figure(amount(candidate.final_loss)),
        figure(amount(candidate.train_s)),
        cell(when(row.created)),
        cell(candidate.method),
    )
    return TableRow(candidate.name, cells)
