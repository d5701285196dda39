"""The overview as text: the first tab, and what ``--plain`` prints. Doesn't load Textual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ghostbust.config import Config
from ghostbust.dashboard.reading import StoreSnapshot, job_state
from ghostbust.dashboard.standing import Light, names_kept, newest_rate, rate_of_last_week, standing
from ghostbust.dashboard.widgets import (
    Mark,
    Plot,
    bare_table,
    cell,
    clipped,
    interval,
    percent,
    when,
)
from ghostbust.loop.budget import limits_of
from ghostbust.measure import said_measure
from ghostbust.records import Measurement
from ghostbust.sections import DaemonSection
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import Curve, RatePoint, Run, curve_names
from ghostbust.text import redact

PLOT_ROWS: Final = 7
"""of the plot, at least"""
BESIDE_PLOT: Final = 24
"""lines that are left to what stands above and below the plot"""
MOST_POINTS: Final = 200
"""runs in the plot, the newest"""
LEGEND: Final = 3
"""adapters that the plot's title names"""
_LONGEST_LABEL: Final = 32
_LIGHTS: Final = {Light.WELL: "bold green", Light.LOOK: "bold yellow", Light.ACT: "bold red"}


def overview(snapshot: StoreSnapshot, settings: Config, rows: int = PLOT_ROWS) -> RenderableType:
    """Whether it is well and what to do next; what serves, the last runs, the rate over time.

    ``rows``: how tall the plot is.
    """
    return Group(
        _home(snapshot, settings.daemon),
        _work(snapshot, settings),
        Text(),
        _runs(snapshot.runs),
        Text(),
        rate_plot(snapshot.rates, rows),
        Text(),
        _rates(snapshot.latest_rates()),
        *_older(snapshot),
    )


def _older(snapshot: StoreSnapshot) -> list[Text]:
    """What the mark at a rate means, where one has it."""
    measured = [run.measurement for run in snapshot.runs if run.measurement is not None]
    said = {point.measure for point in snapshot.latest_rates()} | set(map(said_measure, measured))
    return [Text(f"* by {measure}", "dim") for measure in sorted(said - {""})]


def rate_plot(points: Sequence[RatePoint], rows: int = PLOT_ROWS) -> RenderableType:
    """The rate of each run with its interval, by time; a letter for each model or adapter."""
    known = [point for point in points if not math.isnan(point.rate)][-MOST_POINTS:]
    if not known:
        return Text("no finished run has a rate yet")
    letters = _letters(known)
    marks = [
        Mark(
            point.finished.timestamp(),
            point.rate,
            *point.ci95,
            letters[point.curve],
            _style(point),
        )
        for point in known
    ]
    title = Text.assemble(("rate over time ", "bold"), f"{len(known)} runs, with 95 % intervals; ")
    names = curve_names(known)
    legend = [f"{letter} {names[who]}" for who, letter in letters.items()]
    title.append_text(cell(", ".join(legend[:LEGEND])))
    if len(legend) > LEGEND:
        title.append(f" and {len(legend) - LEGEND} older ones")
    first, last = when(known[0].finished), when(known[-1].finished)
    return Group(title, Plot(marks, rows, percent, first, last))


def _letters(points: Sequence[RatePoint]) -> dict[Curve, str]:
    """A letter for each curve, the newest first: small for bases, o when used up.

    ``b`` is the newest base, ``A`` the newest adapter.
    """
    newest = list(dict.fromkeys(point.curve for point in reversed(points)))
    small, large = iter("bacdefghijklmnpqrstuvwxyz"), iter("ACDEFGHIJKLMNPQRSTUVWXYZ")
    bases = {who: next(small, "o") for who in newest if who[1] is None}
    return bases | {who: next(large, "o") for who in newest if who[1] is not None}


def _style(point: RatePoint) -> str:
    return "yellow" if point.adapter is None else "green"


def _home(snapshot: StoreSnapshot, limits: DaemonSection) -> Text:
    """The light, what to type next, what serves, its rate now and a week ago, its names."""
    found = standing(snapshot, limits)
    lines = [Text.assemble((f"{found.light}  ", _LIGHTS[found.light]), cell(found.why))]
    if found.command:
        lines.append(_labelled("next", found.command))
    since = f" since {when(snapshot.moves[0].at)}" if snapshot.moves else ""
    serves = snapshot.deployed or "none: the base serves"
    lines.append(_labelled("deployed", f"{serves}{since}"))
    newest = newest_rate(snapshot)
    if newest is not None:
        before = rate_of_last_week(snapshot, newest)
        was = f", {_rate(before)} on {before.finished:%m-%d}" if before else ""
        lines.append(_labelled("rate", f"{_rate(newest)} on {newest.finished:%m-%d}{was}"))
        lines.append(
            _labelled("names", f"{newest.volume:.2f} real ones an answer{_kept(snapshot)}")
        )
    counts = snapshot.counts
    lines.append(
        Text.assemble(
            (f"{counts.runs}", "bold"),
            " runs   ",
            (f"{counts.names}", "bold"),
            " invented names   ",
            (f"{counts.new_names}", "bold"),
            f" new {f'since round {counts.last_round}' if counts.last_round else 'since ever'}   ",
            (f"{counts.claimed}", "bold red" if counts.claimed else "bold"),
            " claimed",
        )
    )
    return Text("\n").join(lines)


def _kept(snapshot: StoreSnapshot) -> str:
    """Supported names as a share of the base's, as the gate measured them; empty for the base."""
    kept = names_kept(snapshot)
    if kept is None:
        return ""
    bounds = "" if kept.ci is None else f" ({kept.ci[0]:.2f}–{kept.ci[1]:.2f})"
    return f"; supported: {kept.details['ratio']:.2f}{bounds} of the base's"


def _rate(point: RatePoint) -> str:
    return f"{percent(point.rate)} ({interval(point.ci95)})"


def _work(snapshot: StoreSnapshot, settings: Config) -> Text:
    """What waits for a person, the budget, the jobs, the alarms: a line each, none for nothing."""
    lines = []
    waiting = [v for v in snapshot.adapters if v.round.state is RoundState.WAITING]
    if waiting:
        names = ", ".join(view.row.candidate.name for view in waiting)
        lines.append(_labelled("waiting for approval", names, "bold yellow"))
    if snapshot.spent is not None:
        spent = snapshot.spent
        answers = _of(spent.answers, settings.daemon.watch_answers)
        tokens = _of(spent.tokens, settings.daemon.watch_tokens)
        lines.append(
            _labelled("budget", f"watch run {spent.run_id} took {answers} answers, {tokens} tokens")
        )
    activity = snapshot.activity
    if activity is not None and activity.spent:
        limits = limits_of(settings)
        today = (f"{name} {_of(spent, limits.get(name))}" for name, spent in activity.spent)
        lines.append(_labelled("spent today", ", ".join(today)))
    jobs = () if activity is None else activity.jobs
    states = [f"{job.name} {job_state(job)}" for job in jobs]
    due = min((job.due for job in jobs if job.due and not job.paused), default=None)
    if due is not None:
        states.append(f"next at {when(due)}")
    lines.append(_labelled("jobs", ", ".join(states) or "no daemon has scheduled any yet"))
    guard = next((job for job in jobs if job.name == "guard" and job.outcome == "ok"), None)
    if guard is not None:
        lines.append(_labelled("guard", guard.reason))
    for alarm in snapshot.alarms:
        name = alarm.name if snapshot.query.reveal else redact(alarm.name)
        claimed = f"{when(alarm.at)} {name} ({alarm.ecosystem}) is registered now"
        lines.append(_labelled("ALARM", claimed, "bold red"))
    return Text("\n").join(lines)


def _labelled(label: str, value: str, style: str = "") -> Text:
    return Text.assemble((f"{label}  ", "bold"), cell(value, style))


def _of(spent: float, limit: float | None) -> str:
    return f"{spent:,.0f}" if limit is None else f"{spent:,.0f} of {limit:,.0f}"


def _table(*columns: str) -> Table:
    table = bare_table(gap=1)
    for column in columns:
        right = column in ("run", "rate", "95 %", "volume", "answers")
        table.add_column(
            column,
            justify="right" if right else "left",
            # Where it gets narrow, the label goes on in the next line: no figure is cut.
            no_wrap=column != "model or adapter",
            overflow="fold",
        )
    return table


def _rates(points: Sequence[RatePoint]) -> RenderableType:
    """The latest rate of each adapter, never without its interval and volume."""
    if not points:
        return Text("no finished run has a rate yet")
    table = _table(
        "model or adapter", "runs", "rate", "95 %", "volume", "unknown", "answers", "finished"
    )
    for point in points:
        table.add_row(
            cell(_label(point.model, point.adapter), _style(point)),
            cell(point.kind),
            cell(f"{percent(point.rate)}{'*' if point.measure else ''}", "bold"),
            cell(interval(point.ci95)),
            cell(f"{point.volume:.2f}"),
            cell(point.unknown),
            cell(point.answers),
            cell(point.finished.strftime("%m-%d %H:%M")),
        )
    return table


def _runs(runs: Sequence[Run]) -> RenderableType:
    """The last runs, newest first."""
    if not runs:
        return Text("no run yet: ghostbust sweep")
    table = _table("run", "kind", "model or adapter", "status", "rate", "started (UTC)")
    for run in runs:
        measured = run.measurement
        table.add_row(
            cell(run.id),
            cell(run.spec.kind),
            cell(_label(run.spec.model, run.spec.adapter)),
            cell(run.status),
            cell(None if measured is None else _marked(measured)),
            cell(when(run.started)),
        )
    return table


def _marked(measured: Measurement) -> str:
    return f"{percent(measured.rate)}{'*' if said_measure(measured) else ''}"


def _label(model: str, adapter: str | None) -> str:
    """The adapter's name, or which base it is."""
    return clipped(adapter or f"base {model}", _LONGEST_LABEL)
