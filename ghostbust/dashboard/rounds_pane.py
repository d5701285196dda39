"""The tab with the rounds, and what is known of the one under the cursor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.dashboard.decisions import Asked, Pane
from ghostbust.dashboard.details import RoundFigures
from ghostbust.dashboard.reading import RoundView, Snapshot
from ghostbust.dashboard.widgets import (
    Line,
    Mark,
    Plot,
    StoreTable,
    amount,
    cell,
    clipped,
    figure,
    interval,
    percent,
    thinned,
    when,
)
from ghostbust.records import GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import Round, RoundState

if TYPE_CHECKING:
    from ghostbust.dashboard.details import Flips, RoundFigures
    from ghostbust.dashboard.reading import RoundView


# --- round_plots
# A round's figures as text and plots: losses, rates side by side, flips, the frontier.

ROWS: Final = 7
MOST_STEPS: Final = 60
"""points of a loss curve; a longer one is thinned by means"""
FLIPS_LISTED: Final = 6
"""prompts of each kind of flip that are listed"""


def figures_text(figures: RoundFigures | None) -> RenderableType:
    """Rates beside the base's, what flipped, the loss curve."""
    if figures is None:
        return Text("its figures are being read", "dim")
    return Group(_rates(figures), Text(), _flips(figures.flips), Text(), _losses(figures))


def frontier(rounds: Sequence[RoundView], chosen: int) -> RenderableType:
    """Drop of the rate against volume of every gated round; this one is the full point."""
    marks = []
    for view in rounds:
        results = {} if view.report is None else {r.gate: r for r in view.report.results}
        drop, ratio = _detail(results, "hallucination", "drop"), _detail(results, "volume", "ratio")
        if drop is None or ratio is None:
            continue
        here = view.round.id == chosen
        style = "bold green" if here else ""
        marks.append(Mark(ratio, drop, char="●" if here else "○", style=style))
    title = Text.assemble(
        ("frontier ", "bold"), "drop of the rate over volume as a share of the base's; ● this round"
    )
    if not marks:
        return Group(title, Text("no round has both figures yet", "dim"))
    marks.sort(key=lambda mark: mark.char == "●")
    base = Mark(1.0, 0.0, char="b", style="yellow")
    xs = [mark.x for mark in (*marks, base)]
    left, right = f"volume {min(xs):.2f}", f"{max(xs):.2f}"
    return Group(title, Plot([base, *marks], ROWS, percent, left, right))


def _detail(results: dict[str, GateResult], gate: str, key: str) -> float | None:
    """A figure of a gate's details; None where it wasn't measured."""
    value = results[gate].details.get(key) if gate in results else None
    return float(value) if isinstance(value, int | float) else None


def _rates(figures: RoundFigures) -> RenderableType:
    if not figures.rates or not figures.rates[0][1]:
        return Text("no run of it on held-out prompts is stored", "dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    names = [clipped("base" if name == "base" else "candidate", 20) for name, _ in figures.rates]
    table.add_column("context")
    for name in names:
        for column in (f"{name} rate", "95 %", "volume"):
            table.add_column(column, justify="right", no_wrap=True)
    for place, one in enumerate(figures.rates[0][1]):
        row = [cell(one.context)]
        for _, several in figures.rates:
            if place < len(several):
                same = several[place]
                row += [
                    cell(percent(same.rate.value), "bold"),
                    cell(interval((same.rate.low, same.rate.high))),
                    cell(f"{same.volume.value:.2f}"),
                ]
        table.add_row(*row)
    return table


def _flips(flips: Flips | None) -> RenderableType:
    if flips is None:
        return Text("flips: base and candidate weren't asked the same", "dim")
    head = Text.assemble(
        ("flips, answer by answer: ", "bold"),
        (f"{len(flips.cured)} cured", "green"), ", ",
        (f"{len(flips.broken)} broken", "red"), ", ",
        f"{flips.both} invent in both, {flips.neither} in neither",
    )  # fmt: skip
    lines = [
        cell(f"{word}: {', '.join(list(dict.fromkeys(ids))[:FLIPS_LISTED])}", style)
        for word, ids, style in (("broken", flips.broken, "red"), ("cured", flips.cured, "green"))
        if ids
    ]
    return Group(head, *lines)


def _losses(figures: RoundFigures) -> RenderableType:
    if not figures.losses:
        return cell(f"loss: {figures.missing}", "dim")
    shown = thinned(figures.losses, MOST_STEPS)
    marks = [Mark(n, loss, char="•") for n, loss in enumerate(shown)]
    title = Text.assemble(
        ("loss ", "bold"),
        f"of {len(figures.losses)} steps, {figures.losses[0]:.3g} to {figures.losses[-1]:.3g}"
        " nats per answer",
    )
    left, right = "step 1", f"step {len(figures.losses)}"
    return Group(title, Plot(marks, ROWS, amount, left, right, from_zero=False))


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
