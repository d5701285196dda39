"""A report of all that happened between two days."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import ghostbust
from ghostbust.adapters import Manifest
from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.records import Promotion
from ghostbust.reports.figures import Chart, Line, Part, Point, Quoted, Report, shown_name
from ghostbust.reports.tables import (
    BASE,
    facts_table,
    gates_table,
    history_table,
    method_part,
    names_of,
    names_table,
    when,
)
from ghostbust.store.names import Alarm
from ghostbust.store.rounds import Round
from ghostbust.store.runs import RatePoint, curve_names
from ghostbust.store.store import Store
from ghostbust.store.tallies import NameTally

# --- history
# Plots over time and over training, each with the table that says the same.

MOST_LINES = 8
"""so many adapters and kinds are drawn, the newest; the table has all"""
STRETCHES = 10
"""rows of the table of losses"""
TICKS = 3
"""below a plot of times; four meet on a phone"""


def history_part(points: Sequence[RatePoint], *, name: str = "history") -> Part:
    """The rate over time by adapter and kind of run, and the volume beside it."""
    known = [point for point in points if not math.isnan(point.rate)]
    charts: tuple[Chart, ...] = ()
    if known:
        charts = (
            _over_time(known, "Rate over time", "hallucination rate", _rate),
            _over_time(known, "Volume over time", "real names per answer", _volume),
        )
    text = () if points else ("No run has come to its end yet.",)
    return Part(name, "Over time", text, (history_table("finished runs", points),), charts)


def loss_part(manifest: Manifest | None, missing: str) -> Part:
    """The losses of a training, as its adapter's manifest has them; ``missing``: why there is none.

    Each is of one optimizer step, in nats per answer, weighted as the method says; so they tell
    how the training went, and don't compare between methods.
    """
    losses = _losses(manifest)
    if not losses:
        return Part("training", "Training", (missing or "Its manifest has no losses.",))
    rows = tuple(
        {"steps": f"{first + 1} to {last}", "mean loss": sum(losses[first:last]) / (last - first)}
        for first, last in _stretches(len(losses))
    )
    line = Line("loss", tuple(Point(n + 1, _bare(loss)) for n, loss in enumerate(losses)))
    chart = Chart(
        "Loss by step",
        f"The training loss over {len(losses)} steps, from {losses[0]:.3g} to {losses[-1]:.3g}.",
        "optimizer step",
        "loss",
        (line,),
        {float(n): str(round(n)) for n in _evenly(1, len(losses))},
        from_zero=False,
    )
    note = (
        "Loss of a step, in nats per answer; methods weigh it differently, so it doesn't compare."
    )
    return Part("training", "Training", (), (Table("loss", rows, (note,)),), (chart,))


def _rate(point: RatePoint) -> Estimate:
    return Estimate(point.rate, *point.ci95)


def _volume(point: RatePoint) -> Estimate:
    return _bare(point.volume)


def _bare(value: float) -> Estimate:
    return Estimate(value, math.nan, math.nan)


def _over_time(
    points: Sequence[RatePoint],
    title: str,
    y_label: str,
    value: Callable[[RatePoint], Estimate],
) -> Chart:
    lines: dict[str, list[Point]] = {}
    names = curve_names(points)
    for point in points:
        name = f"{names[point.model, point.adapter]}, {point.kind}"
        lines.setdefault(name, []).append(Point(point.finished.timestamp(), value(point)))
    newest = sorted(lines, key=lambda name: -lines[name][-1].x)[:MOST_LINES]
    kept = [name for name in lines if name in newest]
    left_out = (
        f" {len(lines) - len(kept)} older ones are left out." if len(kept) < len(lines) else ""
    )
    first, last = points[0].finished, points[-1].finished
    return Chart(
        title,
        f"The {y_label} of {len(points)} runs, from {when(first)} to {when(last)}, a line for each"
        f" adapter and kind of run.{left_out}",
        "when the run ended (UTC)",
        y_label,
        tuple(Line(name, tuple(lines[name])) for name in kept),
        _time_ticks(first, last),
    )


def _time_ticks(first: datetime, last: datetime) -> Mapping[float, str]:
    """Day, or hour where all is within two days."""
    form = "%m-%d %H:%M" if last - first < timedelta(days=2) else "%Y-%m-%d"
    ends = first.timestamp(), last.timestamp()
    return {at: datetime.fromtimestamp(at, UTC).strftime(form) for at in _evenly(*ends)}


def _evenly(first: float, last: float) -> Iterable[float]:
    if first == last:
        return [first]
    return [first + (last - first) * n / (TICKS - 1) for n in range(TICKS)]


def _losses(manifest: Manifest | None) -> list[float]:
    """What the manifest says, if it is a list of numbers: it comes from a file."""
    told = [] if manifest is None else manifest.facts.get("losses")
    if not isinstance(told, list) or not all(isinstance(loss, int | float) for loss in told):
        return []
    return [float(loss) for loss in told]


def _stretches(steps: int) -> list[tuple[int, int]]:
    """First and behind-last step of at most ``STRETCHES`` stretches that hold all steps."""
    ends = [round(steps * n / STRETCHES) for n in range(STRETCHES + 1)]
    return [(a, b) for a, b in pairwise(ends) if a < b]


def period_report(
    store: Store, since: date | None, until: date | None, *, reveal: bool, now: datetime
) -> Report:
    """What was run, trained and promoted from the first day to the last, both of them included.

    None: from the beginning, to the end. Days are those of UTC.
    """
    within = _Span(since, until)
    runs = [run for run in reversed(store.runs.recent(-1)) if run.started in within]
    ids = {run.id for run in runs}
    rounds = [one for one in reversed(store.rounds.recent(-1)) if one.started in within]
    names = store.tallies.invented(ids)
    new = [one for one in names if one.first_seen is not None and one.first_seen in within]
    moves = [move for move in reversed(store.promotions.all()) if move.at in within]
    alarms = [alarm for alarm in store.alarms.recent(-1) if alarm.at in within]
    gates = [(one, store.rounds.gate_report(one.id)) for one in rounds]
    said = [(one, report) for one, report in gates if report is not None]
    versions = sorted({run.version for run in runs} | {one.version for one in rounds})
    facts = {
        "from": str(since or "the beginning"),
        "to": str(until or "the end"),
        "models": Quoted(", ".join(sorted({run.spec.model for run in runs})) or "none"),
        "registry snapshots": Quoted(_snapshots([run.spec.snapshots for run in runs])),
        "ghostbust": Quoted(", ".join(versions) or "none"),
        "serves at the end": Quoted(store.promotions.deployed() or BASE),
    }
    return Report(
        title=f"From {since or 'the beginning'} to {until or 'the end'}",
        lead=(
            f"Runs: {len(runs)}. Rounds: {len(rounds)}. Invented names: {len(names)}, for the"
            f" first time {len(new)}. Found registered by somebody since: {len(alarms)}.",
        ),
        parts=(
            history_part([point for point in store.runs.rates(-1) if point.run_id in ids]),
            Part("rounds", "Rounds", (), (_rounds_table(rounds),)),
            Part(
                "gates", "Gates", () if said else ("No gate was run.",),
                tuple(gates_table(f"gates of round {one.id}", report) for one, report in said),
            ),
            Part("moves", "What served", (), (_moves_table(moves),)),
            _names_part(names, alarms, reveal=reveal),
            method_part(),
            Part("provenance", "Provenance", (), (facts_table("the period", facts),)),
        ),
        names=names_of(names, reveal=reveal),
        gates=tuple(report for _, report in said),
        made=now,
        version=ghostbust.__version__,
        revealed=reveal,
    )  # fmt: skip


class _Span:
    """The days from one to another."""

    def __init__(self, since: date | None, until: date | None) -> None:
        self._since = None if since is None else datetime.combine(since, time(), UTC)
        after = None if until is None else until + timedelta(days=1)
        self._until = None if after is None else datetime.combine(after, time(), UTC)

    def __contains__(self, at: datetime) -> bool:
        return (self._since is None or at >= self._since) and (
            self._until is None or at < self._until
        )


def _rounds_table(rounds: Sequence[Round]) -> Table:
    rows: list[dict[str, object]] = [
        {
            "round": one.id,
            "state": str(one.state),
            "gates": None if one.verdict is None else str(one.verdict),
            "model": Quoted(one.model),
            "adapter": None if one.adapter is None else Quoted(one.adapter),
            "method": Quoted(one.method),
            "seed": one.seed,
            "started": when(one.started),
            "why": Quoted(one.reason),
        }
        for one in rounds
    ]
    return Table("rounds", tuple(rows))


def _moves_table(moves: Sequence[Promotion]) -> Table:
    rows: list[dict[str, object]] = [
        {
            "when": when(move.at),
            "move": move.kind,
            "serves": Quoted(move.adapter or BASE),
            "before": Quoted(move.previous or BASE),
            "why": Quoted(move.reason),
        }
        for move in moves
    ]
    return Table("moves of the deployed pointer", tuple(rows))


def _names_part(names: Sequence[NameTally], alarms: Sequence[Alarm], *, reveal: bool) -> Part:
    rows: list[dict[str, object]] = [
        {
            "when": when(alarm.at),
            "name": shown_name(alarm.name, reveal=reveal),
            "registry": str(alarm.ecosystem),
            "first released": when(alarm.first_released),
            "answers ever": alarm.times_seen,
        }
        for alarm in alarms
    ]
    note = "Invented first and registered since: a likely slopsquat. Never counted as cured."
    return Part(
        "names",
        "Invented names",
        (),
        (
            Table("claimed names", tuple(rows), (note,) if rows else ()),
            names_table("names", names, reveal=reveal),
        ),
    )


def _snapshots(used: Sequence[object]) -> str:
    days = {f"{name} {day}" for one in used if isinstance(one, dict) for name, day in one.items()}
    return ", ".join(sorted(days)) or "none"
