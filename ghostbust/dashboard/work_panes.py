"""The tabs of what was done about it: the rounds, the adapters, the daemon's jobs and the log."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Hashable, Sequence
from functools import partial
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.dashboard import decisions
from ghostbust.dashboard.details import Flips, RoundFigures
from ghostbust.dashboard.pane import ListPane, Pane
from ghostbust.dashboard.reading import (
    Activity,
    AdapterView,
    Event,
    RoundView,
    StoreSnapshot,
    job_state,
)
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import (
    MISSING,
    Mark,
    Plot,
    amount,
    bare_table,
    cell,
    clipped,
    figure,
    interval,
    percent,
    thinned,
    when,
)
from ghostbust.records import GateReport, GateVerdict
from ghostbust.store.rounds import Round, RoundState

ROWS: Final = 7
"""lines of a plot"""
MOST_STEPS: Final = 60
"""points of a loss curve; a longer one is thinned by means"""
RATE_COLUMNS: Final = (
    "con-\ntext", "model", "rate", "95 %", "inven-\nting", "suppor-\nted", "all", "un-\nknown",
    "unsup-\nported", "instal-\nlers",
)  # fmt: skip
"""broken so that all fit 80 columns"""
FLIPS_LISTED: Final = 6
"""prompts of each kind of flip that are listed"""
LONGEST_METHOD: Final = 16
"""characters of a method or gate"""
MOVES: Final = 50
"""moves of the deployed pointer that are listed, the newest"""
LONGEST_EVENT: Final = 500
"""characters of an event"""
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
EVENT_STYLES: Final = {
    "alarm": "bold red", "round": "magenta", "promote": "green", "rollback": "yellow",
    "review": "yellow",
}  # fmt: skip


class RoundsPane(ListPane):
    """The newest rounds, and below them one round's gates, figures and provenance."""

    tab, field, in_every_snapshot = "rounds", "round", True
    columns = ("round", "state", "method", "forget", "retain", "holdout", "verdict", "updated")
    ranked = ("state", "verdict", "updated", "method", "forget", "retain", "holdout")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll(3)", "Down in it"),
        Binding("k", "scroll(-3)", "Up in it"),
    ]

    def compose(self) -> ComposeResult:
        yield StoreTable(*self.columns, ranked=self.ranked, id="rounds-table")
        with VerticalScroll(id="round-scroll", can_focus=False):
            yield Static("no round yet: ghostbust round", id="round-details")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        return (), snapshot.rounds

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        rows = []
        for one in (view.round for view in snapshot.rounds):
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
            rows.append(TableRow(one.id, cells))
        return rows

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        selected, figures = self.query_one(StoreTable).selected, snapshot.figures
        if figures is not None and figures.round_id != selected:
            figures = None
        view = next((view for view in snapshot.rounds if view.round.id == selected), None)
        return view, figures, snapshot.rounds

    def details(
        self, view: RoundView | None, figures: RoundFigures | None, others: Sequence[RoundView]
    ) -> RenderableType:
        return (
            "no round yet: ghostbust round"
            if view is None
            else round_details(view, figures, others)
        )

    def moved(self) -> None:
        super().moved()
        self.show_details()  # the gates are known; the figures come with the next snapshot


def round_details(
    view: RoundView, figures: RoundFigures | None, others: Sequence[RoundView]
) -> RenderableType:
    """A round's gates, what it did to rates and answers, its losses, and what made it.

    ``figures``: None while they are being read; ``others``: the rounds of the frontier.
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


def figures_text(figures: RoundFigures | None) -> RenderableType:
    """Rates beside the base's, what flipped, the loss curve."""
    if figures is None:
        return Text("its figures are being read", "dim")
    return Group(_rates(figures), Text(), _flips(figures.flips), Text(), _losses(figures))


def frontier(rounds: Sequence[RoundView], chosen: int) -> RenderableType:
    """Drop of the rate against supported names of every gated round; this one is the full point.

    Rounds that an older measure judged are crosses: theirs are all real names.
    """
    marks = []
    for view in rounds:
        drop = _detail(view.report, "hallucination", "drop")
        ratio = _detail(view.report, "volume", "ratio")
        if drop is not None and ratio is not None:
            here = view.round.id == chosen
            char, style = ("●", "bold green") if here else ("○", "")
            older = view.report is not None and view.report.said_older
            marks.append(Mark(ratio, drop, char="x" if older and not here else char, style=style))
    title = Text.assemble(
        ("frontier ", "bold"),
        "drop of the rate over supported names (the base's: 1); ● this round",
        "\nx by an older measure, over real names" if any(m.char == "x" for m in marks) else "",
    )
    if not marks:
        return Group(title, Text("no round has both figures yet", "dim"))
    marks.sort(key=lambda mark: mark.char == "●")  # drawn last, over what lies at the same place
    base = Mark(1.0, 0.0, char="b", style="yellow")
    xs = [mark.x for mark in (*marks, base)]
    left, right = f"supported {min(xs):.2f}", f"{max(xs):.2f}"
    return Group(title, Plot([base, *marks], ROWS, percent, left, right))


def _detail(report: GateReport | None, gate: str, key: str) -> float | None:
    """A figure of a gate's details; None where it wasn't measured."""
    for result in report.results if report is not None else ():
        value = result.details.get(key)
        if result.gate == gate and isinstance(value, int | float):
            return float(value)
    return None


def _rates(figures: RoundFigures) -> RenderableType:
    if not figures.rates or not figures.rates[0][1]:
        return Text("no run of it on held-out prompts is stored", "dim")
    table = bare_table(gap=1)
    for column in RATE_COLUMNS:
        right = column not in RATE_COLUMNS[:2]
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    for place, one in enumerate(figures.rates[0][1]):
        for model, several in figures.rates:
            same = several[place] if place < len(several) else None
            if same is None or same.supported is None or same.unsupported is None:
                continue
            table.add_row(
                cell(one.context),
                cell("base" if model == "base" else "adapter"),
                cell(percent(same.rate.value), "bold"),
                cell(interval((same.rate.low, same.rate.high))),
                cell(percent(same.answer_rate.value)),
                cell(_number(same.supported.value)),
                cell(_number(same.all_names.value)),
                cell(percent(same.unknown.value)),
                cell(percent(same.unsupported.value)),
                cell(same.counts.installers),
            )
    return Group(table, *(Text(said, "dim") for said in figures.older))


def _number(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:.2f}"


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


def _gates(report: GateReport | None) -> RenderableType:
    if report is None:
        return Text("its gates weren't run")
    table = bare_table()
    for column in ("gate", "verdict", "base", "candidate", "reason"):
        table.add_column(column, overflow="fold", no_wrap=column in ("gate", "verdict"))
    for result in report.results:
        table.add_row(
            cell(clipped(result.gate, LONGEST_METHOD)),
            cell(result.verdict, STYLES[result.verdict]),
            cell(amount(result.base)),
            cell(amount(result.candidate)),
            cell(f"{result.reason} ({result.test})" if result.test else result.reason),
        )
    return Group(table, Text(report.said_older, "dim")) if report.said_older else table


def _provenance(one: Round) -> RenderableType:
    table = bare_table(header=False)
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


class AdaptersPane(ListPane):
    """Every adapter, newest first, the deployed one marked; below, where the one under the cursor
    lies, what its gates showed if it serves or waits, and what served when and why.
    """

    tab, field, in_every_snapshot = "adapters", "adapter", True
    columns = (
        "adapter", "serves", "round", "gates", "steps", "loss", "train s", "created", "method",
    )  # fmt: skip
    ranked = ("serves", "round", "gates", "created", "loss", "method", "steps", "train s")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "approve", "Approve"),
        Binding("x", "reject", "Reject"),
        Binding("r", "roll_back", "Roll back"),
        Binding("j", "scroll(3)", "Down in it"),
        Binding("k", "scroll(-3)", "Up in it"),
    ]

    def compose(self) -> ComposeResult:
        yield Static(id="adapters-title")
        yield StoreTable(*self.columns, ranked=self.ranked, id="adapters-table")
        with VerticalScroll(id="adapter-scroll", can_focus=False):
            yield Static("no adapter yet: ghostbust round", id="adapter-details")
        with VerticalScroll(id="moves-scroll", can_focus=False):
            yield Static(id="adapter-moves")

    def show(self, snapshot: StoreSnapshot) -> None:
        old = self.snapshot
        super().show(snapshot)
        if old is None or old.moves != snapshot.moves:
            lines = [
                cell(
                    f"{when(move.at)} {move.kind}: {move.adapter or 'the base'} serves,"
                    f" before it {move.previous or 'the base'}: {move.reason}"
                )
                for move in snapshot.moves[:MOVES]
            ]
            moves = Text("\n").join(lines or [Text("nothing was promoted yet", "dim")])
            self.query_one("#adapter-moves", Static).update(moves)

    def title(self, snapshot: StoreSnapshot) -> Text:
        waiting = sum(view.round.state is RoundState.WAITING for view in snapshot.adapters)
        return cell(
            f"serves: {snapshot.deployed or 'the base'}; waiting for approval: {waiting}",
            "bold yellow" if waiting else "bold",
        )

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        return (), (snapshot.adapters, snapshot.deployed)

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        rows = []
        for view in snapshot.adapters:
            row, candidate, state = view.row, view.row.candidate, view.round.state
            cells = (
                cell(candidate.name),
                cell("● serves" if candidate.name == snapshot.deployed else "", "bold green"),
                cell(f"{row.round_id} {state}", STYLES.get(state, "")),
                cell(row.verdict, STYLES[row.verdict] if row.verdict else ""),
                figure(candidate.steps),
                figure(amount(candidate.final_loss)),
                figure(amount(candidate.train_s)),
                cell(when(row.created)),
                cell(candidate.method),
            )
            rows.append(TableRow(candidate.name, cells))
        return rows

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        selected = self.query_one(StoreTable).selected
        return tuple(v for v in snapshot.adapters if v.row.candidate.name == selected)

    def details(self, *views: AdapterView) -> RenderableType:
        lines = []
        for view in views:
            one = view.round
            lines.append(cell(view.row.candidate.path))
            lines.append(cell(f"round {one.id}, {one.state}: {one.reason}"))
            for result in view.report.results if view.report is not None else ():
                said = cell(clipped(result.gate, LONGEST_METHOD))
                said.append(f" {result.verdict} ", STYLES[result.verdict])
                lines.append(said.append_text(cell(result.reason)))
        return Text("\n").join(lines or [Text("no adapter yet: ghostbust round")])

    def moved(self) -> None:
        self.show_details()  # nothing is to be read for them

    def action_approve(self) -> None:
        name = self._selected_name()
        if name is not None:
            approve = partial(decisions.approve, self._home, name, config=self._config)
            self.decide(f"Let {name} serve?", approve)

    def action_reject(self) -> None:
        name = self._selected_name()
        if name is not None:
            self.decide(f"Reject {name}?", partial(decisions.reject, self._home, name))

    def action_roll_back(self) -> None:
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


class JobsPane(Pane):
    """Jobs above, the log below."""

    _events: tuple[Event, ...] | None = None
    """those on the screen"""

    def compose(self) -> ComposeResult:
        yield Static(id="jobs-text")
        yield StoreTable("when (UTC)", "what", "log", id="jobs-table")

    def show(self, snapshot: StoreSnapshot) -> None:
        activity = snapshot.activity
        if activity is None:
            return
        self.query_one("#jobs-text", Static).update(jobs_text(activity))
        if activity.events != self._events:
            self._events = activity.events
            self.query_one(StoreTable).fill(log_rows(activity.events))


def jobs_text(activity: Activity) -> RenderableType:
    """Who works here, each job, and what was spent today."""
    holders = activity.holders or ("nobody works in the home folder now",)
    parts: list[RenderableType] = [cell("; ".join(holders), "bold")]
    if activity.jobs:
        table = bare_table(gap=1)
        for column in ("job", "state", "last began", "next", "came of it"):
            table.add_column(column, no_wrap=column != "came of it", overflow="fold")
        for job in activity.jobs:
            outcome = f"{job.outcome or ''} {job.reason}".strip()
            table.add_row(
                cell(job.name),
                cell(job_state(job)),
                cell(when(job.started)),
                cell(when(job.due)),
                cell(clipped(outcome, 120)),
            )
        parts.append(table)
    else:
        parts.append(Text("no daemon has scheduled a job here yet: ghostbust daemon", "dim"))
    if activity.spent:
        spent = ", ".join(f"{budget} {amount:,.0f}" for budget, amount in activity.spent)
        parts.append(cell(f"spent today: {spent}"))
    return Group(*parts)


def log_rows(events: Sequence[Event]) -> list[TableRow]:
    """The rows of the log, whose keys stay the same when newer events come before them."""
    rows, often = [], Counter[Event]()
    for event in reversed(events):  # from the oldest: of equal ones the first stays number 1
        often[event] += 1
        cells = (
            cell(when(event.at)),
            cell(event.what, EVENT_STYLES.get(event.what, "")),
            cell(clipped(event.text, LONGEST_EVENT)),
        )
        rows.append(TableRow((event, often[event]), cells))
    return rows[::-1]
