"""The tab with the rounds, and what is known of the one under the cursor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.dashboard.deciding import Asked, Pane
from ghostbust.dashboard.reading import RoundView, Snapshot
from ghostbust.dashboard.round_figures import RoundFigures
from ghostbust.dashboard.round_plots import figures_text, frontier
from ghostbust.dashboard.table import Line, StoreTable
from ghostbust.dashboard.text import amount, cell, clipped, figure, when
from ghostbust.records import GateReport, GateVerdict
from ghostbust.store import Round, RoundState

LONGEST_METHOD: Final = 16
STYLES: Final = {
    GateVerdict.PASS: "green",
    GateVerdict.FAIL: "red",
    GateVerdict.INCONCLUSIVE: "yellow",
    RoundState.WAITING: "bold yellow",
    RoundState.PROMOTED: "green",
    RoundState.REJECTED: "red",
    RoundState.ROLLED_BACK: "red",
    RoundState.FAILED: "red",
}


class RoundsPane(Pane):
    """The newest rounds, and under them one round's gates, figures and provenance."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll(3)", "Down in it"),
        Binding("k", "scroll(-3)", "Up in it"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rounds: tuple[RoundView, ...] | None = None
        self._figures: RoundFigures | None = None

    def compose(self) -> ComposeResult:
        """The table, and the details that follow its cursor."""
        yield StoreTable(
            "round", "state", "method", "forget", "retain", "holdout", "verdict", "updated",
            id="rounds-table",
        )  # fmt: skip
        with VerticalScroll(id="round-scroll", can_focus=False):
            yield Static("no round yet", id="round-details")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the rounds of the snapshot."""
        same = (snapshot.rounds, snapshot.figures) == (self._rounds, self._figures)
        if same or (snapshot.rounds == self._rounds and snapshot.query.tab != "rounds"):
            return
        if snapshot.rounds != self._rounds:
            self._rounds = snapshot.rounds
            self.query_one(StoreTable).fill([_line(view.round) for view in snapshot.rounds])
        self._figures = snapshot.figures
        self._show_details()

    def on_store_table_moved(self) -> None:
        """The cursor moved: the gates are known, the other figures are wanted."""
        selected = self.query_one(StoreTable).selected
        self.post_message(Asked(round=None if selected is None else int(selected)))
        self._show_details()

    def action_scroll(self, by: int) -> None:
        """Moves in the details, while the table keeps the keys."""
        self.query_one("#round-scroll").scroll_relative(y=by, animate=False)

    def _show_details(self) -> None:
        selected = self.query_one(StoreTable).selected
        for view in self._rounds or ():
            if str(view.round.id) == selected:
                figures = self._figures
                if figures is not None and figures.round_id != view.round.id:
                    figures = None
                shown = details(view, figures, self._rounds or ())
                self.query_one("#round-details", Static).update(shown)


def details(
    view: RoundView, figures: RoundFigures | None = None, others: Sequence[RoundView] = ()
) -> RenderableType:
    """A round's gates, what it did to rates and answers, its losses, and what made it.

    ``figures``: None where they aren't read yet; ``others``: the rounds of the frontier.
    """
    one = view.round
    head = Text.assemble(
        (f"round {one.id}  ", "bold"), cell(one.state, STYLES.get(one.state, "")), "  "
    )
    head.append_text(cell(one.reason))
    return Group(
        head,
        Text(),
        _gates(view.report),
        Text(),
        figures_text(figures),
        Text(),
        frontier(others, one.id),
        Text(),
        _provenance(one),
    )


def _gates(report: GateReport | None) -> RenderableType:
    if report is None:
        return Text("its gates weren't run")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("gate", "verdict", "base", "candidate", "reason"):
        table.add_column(column, overflow="fold", no_wrap=column in ("gate", "verdict"))
    for result in report.results:
        table.add_row(
            cell(clipped(result.gate, LONGEST_METHOD)),
            cell(result.verdict, STYLES[result.verdict]),
            cell(amount(result.base)),
            cell(amount(result.candidate)),
            cell(result.reason),
        )
    return table


def _provenance(one: Round) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for label, value in (
        ("adapter", one.adapter),
        ("model", one.model),
        ("method", one.method),
        ("seed", one.seed),
        ("sets", one.sets_id),
        ("settings", json.dumps(dict(one.settings), ensure_ascii=False)),
        ("ghostbust", one.version),
        ("started", when(one.started)),
        ("updated", when(one.updated)),
    ):
        table.add_row(Text(label, "bold"), cell(value))
    return table


def _line(one: Round) -> Line:
    cells = (
        figure(one.id),
        cell(one.state, STYLES.get(one.state, "")),
        cell(clipped(one.method, LONGEST_METHOD)),
        figure(one.forget),
        figure(one.retain),
        figure(one.holdout),
        cell(one.verdict, STYLES[one.verdict] if one.verdict else ""),
        # Without the year, so that it fits 80 columns; the details have it.
        cell(one.updated.strftime("%m-%d %H:%M")),
    )
    return Line(str(one.id), cells)
