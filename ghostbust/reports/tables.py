"""What several reports have: tables of rates, gates, names and provenance, and plots."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ghostbust.adapters import name_key, read_adapter
from ghostbust.errors import ModelError
from ghostbust.evaluation.figures import BASE, Estimate, Table
from ghostbust.records import GateReport
from ghostbust.reports.document import (
    BarChart,
    BarGroup,
    Chart,
    ChartCurve,
    CurvePoint,
    NamedIn,
    Quoted,
    ReportPart,
)
from ghostbust.reports.figures import UNDEFINED, Paired, Rates, said_older
from ghostbust.store.names import NameOrder
from ghostbust.store.rounds import Round
from ghostbust.store.runs import RatePoint, Run, curve_names
from ghostbust.store.store import Store
from ghostbust.store.tallies import NameTally
from ghostbust.text import came_back, redact

MOST_NAMES = 100
"""rows of a table of names"""
TOP = 5
"""names that come back most, and domains of most inventions"""
RANKED = 2000
"""names of the ledger among which those are looked for"""
MOST_CURVES = 8
"""adapters and kinds of run in a plot, the newest; the table has all"""
STRETCHES = 10
"""rows of the table of losses"""
TICKS = 3
"""below a plot over time; four overlap on a phone"""
METHOD = (
    "A model is asked in three contexts: to write code (code), which packages a piece of code"
    " needs (needs), and which packages help with a task (helps). Each package that an answer"
    " names, in an install command, an import or a list, is looked up: REAL, ABSENT (no registry"
    " has it), SUSPECT (registered, and no real recommendation), BUILTIN (part of the language)"
    " or UNKNOWN (nobody could be asked). Invented are ABSENT and SUSPECT.",
    "The rate is invented / (invented + real) names, each name once an answer, over all answers"
    " together. No rate stands without how much is named: a model that names nothing invents"
    " nothing. The volume is real names per answer. Where two models are compared, a real name"
    " counts if it is supported: if the first model, too, names it for that prompt in another of"
    " its samples. All names are the real, invented and unknown ones per answer. UNKNOWN names are"
    " in no rate, BUILTIN ones and installers (pip, npm) in none of these figures.",
    "In parentheses: 95 % intervals, by a bootstrap that draws whole families of prompts (a task"
    " with all that was rewritten from it). They tell how much another draw of tasks would change"
    " the figure, not what other tasks, other settings or another registry would. Where nothing"
    " was invented at all, the interval is 0 to 0 however little was asked: that proves nothing.",
)
REDACTED = (
    "Names that no registry has are shortened to their first letters and their length: whoever"
    " reads them in full could register them. --reveal shows them."
)


def shown_name(name: str, *, reveal: bool) -> Quoted:
    """A name as a report may show it."""
    return Quoted(name if reveal else redact(name))


def rates_table(models: Mapping[str, Sequence[Rates]], runs: Sequence[Run]) -> Table:
    """What each model named, a row for each model and context; ``runs``: those it is of.

    Real names per answer are a figure of one model alone; beside another, those it supports are.
    """
    rows: list[dict[str, object]] = []
    for name, several in models.items():
        for one in several:
            names: dict[str, object] = {"volume": one.volume}
            if one.supported is not None:
                names = {"supported": one.supported}
            names["all"] = one.all_names
            if one.unsupported is not None:
                names["unsupported share"] = one.unsupported
            rows.append(
                {
                    "model": Quoted(name),
                    "context": one.context,
                    "rate": one.rate,
                    "answers with an invention": one.answer_rate,
                    **names,
                    "unknown share": one.unknown,
                    "real": one.counts.real,
                    "absent": one.counts.absent,
                    "suspect": one.counts.suspect,
                    "induced": one.counts.induced,
                    "unknown": one.counts.unknown,
                    "local": one.counts.local,
                    "unmapped": one.counts.unmapped,
                    "installers": one.counts.installers,
                    "answers": one.counts.answers,
                }
            )
    notes = tuple(said for run in runs if (said := said_older(run)))
    return Table("by context", tuple(rows), notes)


def paired_table(pairs: Mapping[str, Sequence[Paired]]) -> Table:
    """Differences on the same prompts, a row for each pair and context."""
    rows: list[dict[str, object]] = [
        {
            "compared": Quoted(name),
            "context": one.context,
            "difference of the rates": one.difference,
            "drop of the rate": one.drop,
            "difference per answer": one.answer_difference,
            "supported ratio": one.supported,
            "all ratio": one.all_names,
            "more unknown": one.unknown,
            "more unsupported": one.unsupported,
            "families": one.families,
        }
        for name, several in pairs.items()
        for one in several
    ]
    notes = (
        "The second minus, or divided by, the first, each family with itself, so what is hard for"
        " both cancels out; the first is who supports a name. A drop is 1 - rate / the first's"
        " rate; in all contexts together both rates have the first's weights, as gates judge."
        " Intervals are by Student's t, those of ratios by Fieller's method. One that holds 0,"
        " or 1 of ratios, is no difference that can be told from chance.",
    )
    return Table("compared", tuple(rows), notes)


def gates_table(title: str, report: GateReport | None) -> Table:
    """What each gate said, the base beside the candidate; no row if they weren't run."""
    rows: list[dict[str, object]] = []
    for result in () if report is None else report.results:
        low, high = result.ci or (None, None)
        rows.append(
            {
                "gate": Quoted(result.gate),
                "verdict": str(result.verdict),
                "base": result.base,
                "candidate": result.candidate,
                "interval from": low,
                "interval to": high,
                "test": Quoted(result.test),
                "condition to pass": Quoted(result.margin),
                "reason": Quoted(result.reason),
            }
        )
    # rounds from before 2026-12 don't say how coding tasks were asked: it was by completion
    notes = [
        f"Coding tasks asked: {result.details.get('asked', 'completion')}."
        for result in (() if report is None else report.results)
        if result.gate == "coding" and result.base is not None
    ]
    if report is not None and report.said_older:
        notes.append(report.said_older)
    return Table(title, tuple(rows), tuple(notes))


def bars_of(models: Mapping[str, Sequence[Rates]]) -> tuple[BarChart, ...]:
    """By context: the rate, supported names where models are compared, and all names.

    Only contexts in which every model has answers.
    """
    if not models:
        return ()
    by_context = [{one.context: one for one in several} for several in models.values()]
    contexts = [c for c in by_context[0] if all(c in others for others in by_context)]
    names = tuple(models)

    def chart(title: str, aim: str, figure: Callable[[Rates], Estimate | None]) -> BarChart:
        groups = tuple(
            BarGroup(c, tuple(figure(one[c]) or UNDEFINED for one in by_context)) for c in contexts
        )
        return BarChart(title, aim, names, groups, is_share=figure is _rate)

    rate = chart("Invented, of the packages it names", "less is better", _rate)
    if len(names) == 1:
        return (
            rate,
            chart(
                "Real names per answer", "without them a rate says little", lambda one: one.volume
            ),
            chart("All names per answer", "real, invented and unknown", lambda one: one.all_names),
        )
    return (
        rate,
        chart(
            f"Names that {names[0]} supports, per answer", "should stay as it is",
            lambda one: one.supported,
        ),
        chart("All names per answer", "should not rise", lambda one: one.all_names),
    )  # fmt: skip


def _rate(one: Rates) -> Estimate:
    return one.rate


def names_part(
    store: Store,
    tallies: Sequence[NameTally],
    table: Table,
    run_ids: Iterable[int],
    *,
    reveal: bool,
) -> ReportPart:
    """The invented names, folded away below those that come back most, and their domains."""
    known = {(one.ecosystem, one.name) for one in tallies}
    ranked = store.ledger.hallucinations(order=NameOrder.REPEATS, limit=RANKED)
    kept = [one for one in ranked if one.came_back and (one.ecosystem, one.name) in known]
    back: tuple[dict[str, object], ...] = tuple(
        {
            "name": shown_name(one.name, reveal=reveal),
            "verdict": str(one.verdict),
            "came back": came_back(one),
        }
        for one in kept[:TOP]
    )
    domains: tuple[dict[str, object], ...] = tuple(
        {
            "domain": Quoted(one.domain or "not known"),
            "names": one.names,
            "answers with one": one.inventing,
            "of": one.answers,
        }
        for one in store.tallies.domains(run_ids)[:TOP]
    )
    notes = (
        "Of later answers of the base to prompts that had elicited it, those that named it again.",
    )
    tables = (Table("come back most", back, notes if back else ()), Table("by domain", domains))
    text = f"{len(tallies):,} names, {sum(one.samples for one in tallies):,} times in an answer."
    return ReportPart(
        "names",
        "Invented names",
        (text,),
        (*(tables if tallies else ()), table),
        folded=frozenset({table.title}),
    )


def names_of(tallies: Sequence[NameTally], *, reveal: bool) -> tuple[NamedIn, ...]:
    """The names as a report may show them."""
    return tuple(
        NamedIn(
            one.ecosystem,
            shown_name(one.name, reveal=reveal),
            name_key(one.ecosystem, one.name),
            one.verdict,
            one.reason,
            one.samples,
        )
        for one in tallies
    )


def names_table(tallies: Sequence[NameTally], *, reveal: bool) -> Table:
    """The names of most answers, ``MOST_NAMES`` of them; the report's ``names`` are all."""
    rows: list[dict[str, object]] = [
        {
            "name": shown_name(one.name, reveal=reveal),
            "registry": str(one.ecosystem),
            "verdict": str(one.verdict),
            "reason": Quoted(one.reason),
            "answers": one.samples,
            "prompts": one.prompts,
            "contexts": " ".join(one.contexts),
            "answers ever": one.times_seen,
            "first seen": when(one.first_seen),
            "last seen": when(one.last_seen),
            "claimed": when(one.claimed_at),
        }
        for one in tallies[:MOST_NAMES]
    ]
    return Table("names", tuple(rows), notes_on_names(tallies, reveal=reveal))


def notes_on_names(tallies: Sequence[NameTally], *, reveal: bool) -> tuple[str, ...]:
    """Whether names are redacted, and whether some are left out."""
    notes = [] if reveal or not tallies else [REDACTED]
    if len(tallies) > MOST_NAMES:
        notes.append(
            f"The {MOST_NAMES} names of most answers, of {len(tallies)}; the report as JSON or"
            " SARIF has all of them."
        )
    return tuple(notes)


def history_part(points: Sequence[RatePoint], *, fold: bool = False) -> ReportPart:
    """The rate over time by adapter and kind of run, and the volume beside it.

    ``fold``: the page shows it when asked to, since the report is on something else.
    """
    rows: list[dict[str, object]] = [
        {
            "run": point.run_id,
            "kind": str(point.kind),
            "model": Quoted(point.model),
            "adapter": Quoted(point.adapter or BASE),
            "finished": when(point.finished),
            "rate": Estimate(point.rate, *point.ci95),
            "volume": point.volume,
            "unknown": point.unknown,
            "answers": point.answers,
            "measure": "older" if point.measure else "today's",
        }
        for point in points
    ]
    notes = ["Kinds of runs ask different prompts: one kind's rate doesn't compare with another's."]
    notes += [
        f"Rate and volume of runs marked older are by {measure}: they don't compare with others,"
        " and have lines of their own."
        for measure in dict.fromkeys(point.measure for point in points)
        if measure
    ]
    table = Table("finished runs", tuple(rows), tuple(notes) if rows else ())
    known = [point for point in points if not math.isnan(point.rate)]
    charts: tuple[Chart, ...] = ()
    if known:
        charts = (
            _over_time(
                known, "Rate over time", "hallucination rate",
                lambda point: Estimate(point.rate, *point.ci95),
            ),
            _over_time(
                known, "Volume over time", "real names per answer",
                lambda point: _without_interval(point.volume),
            ),
        )  # fmt: skip
    text = () if points else ("No run has come to its end yet.",)
    titles = {table.title, *(chart.title for chart in charts if fold)} if rows else set()
    return ReportPart("history", "Over time", text, (table,), charts, folded=frozenset(titles))


def losses_of(store: Store, one: Round) -> tuple[list[float], str]:
    """The loss of each step of a round in nats per answer; if there are none, also why."""
    row = None if one.adapter is None else store.rounds.adapter(one.adapter)
    if row is None:
        return [], "The round made no adapter."
    try:
        losses = read_adapter(row.candidate.path).facts.get("losses")
    except ModelError:
        return [], "The adapter's folder is gone or was changed, so its losses aren't known."
    # The manifest is a file, so it may hold anything.
    if not isinstance(losses, list) or not all(isinstance(loss, int | float) for loss in losses):
        losses = []
    return [float(loss) for loss in losses], "" if losses else "Its manifest has no losses."


def loss_part(losses: Sequence[float], missing: str) -> ReportPart:
    """The losses of a training; ``missing``: why there are none.

    Methods weigh the loss differently, so it shows how the training went, and doesn't compare
    between methods.
    """
    if not losses:
        return ReportPart("training", "Training", (missing,))
    ends = [round(len(losses) * n / STRETCHES) for n in range(STRETCHES + 1)]
    rows = tuple(
        {"steps": f"{first + 1} to {last}", "mean loss": sum(losses[first:last]) / (last - first)}
        for first, last in pairwise(ends)
        if first < last
    )
    points = (CurvePoint(n, _without_interval(loss)) for n, loss in enumerate(losses, 1))
    chart = Chart(
        "Loss by step",
        f"The training loss over {len(losses)} steps, from {losses[0]:.3g} to {losses[-1]:.3g}.",
        "optimizer step",
        "loss",
        (ChartCurve("loss", tuple(points)),),
        {float(n): str(round(n)) for n in _evenly(1, len(losses))},
        from_zero=False,
    )
    note = (
        "Loss of a step, in nats per answer; methods weigh it differently, so it doesn't compare."
    )
    table = Table("loss", rows, (note,))
    return ReportPart(
        "training", "Training", (), (table,), (chart,), folded=frozenset({table.title, chart.title})
    )


def _without_interval(value: float) -> Estimate:
    return Estimate(value, math.nan, math.nan)


def _over_time(
    points: Sequence[RatePoint],
    title: str,
    y_label: str,
    value: Callable[[RatePoint], Estimate],
) -> Chart:
    curves: dict[str, list[CurvePoint]] = {}
    names = curve_names(points)
    for point in points:
        name = f"{names[point.curve]}, {point.kind}"
        curves.setdefault(name, []).append(CurvePoint(point.finished.timestamp(), value(point)))
    newest = sorted(curves, key=lambda name: -curves[name][-1].x)[:MOST_CURVES]
    kept = [name for name in curves if name in newest]
    left_out = (
        f" {len(curves) - len(kept)} older ones are left out." if len(kept) < len(curves) else ""
    )
    first, last = points[0].finished, points[-1].finished
    return Chart(
        title,
        f"The {y_label} of {len(points)} runs, from {when(first)} to {when(last)}, a line for each"
        f" adapter and kind of run.{left_out}",
        "when the run ended (UTC)",
        y_label,
        tuple(ChartCurve(name, tuple(curves[name])) for name in kept),
        _time_ticks(first, last),
    )


def _time_ticks(first: datetime, last: datetime) -> Mapping[float, str]:
    """Days, or hours if all runs are within two days."""
    form = "%m-%d %H:%M" if last - first < timedelta(days=2) else "%Y-%m-%d"
    ends = first.timestamp(), last.timestamp()
    return {at: datetime.fromtimestamp(at, UTC).strftime(form) for at in _evenly(*ends)}


def _evenly(first: float, last: float) -> list[float]:
    if first == last:
        return [first]
    return [first + (last - first) * n / (TICKS - 1) for n in range(TICKS)]


def run_facts(run: Run) -> dict[str, object]:
    """What made a run."""
    return {
        "run": run.id,
        "kind": str(run.spec.kind),
        "status": str(run.status),
        "model": Quoted(run.spec.model),
        "adapter": Quoted(run.spec.adapter or BASE),
        "seed": run.spec.seed,
        "started": when(run.started),
        "finished": when(run.finished),
        "registry snapshots": Quoted(
            ", ".join(f"{name} {day}" for name, day in sorted(run.spec.snapshots.items())) or "none"
        ),
        "settings": _settings_text(run.spec.settings),
        "ghostbust": Quoted(run.version),
    }


def round_facts(one: Round) -> dict[str, object]:
    """What made a round."""
    return {
        "round": one.id,
        "state": str(one.state),
        "why": Quoted(one.reason),
        "model": Quoted(one.model),
        "adapter": Quoted(one.adapter or "none"),
        "method": Quoted(one.method),
        "seed": one.seed,
        "answers to unlearn": one.forget,
        "answers to keep": one.retain,
        "held-out prompts": one.holdout,
        "id of the sets": Quoted(one.sets_id or "none"),
        "started": when(one.started),
        "last changed": when(one.updated),
        "settings": _settings_text(one.settings),
        "ghostbust": Quoted(one.version),
    }


def facts_table(title: str, facts: Mapping[str, object]) -> Table:
    """Each fact a row."""
    return Table(title, tuple({"what": name, "value": value} for name, value in facts.items()))


def _settings_text(settings: Mapping[str, object]) -> Quoted:
    """Settings in one line."""
    return Quoted(json.dumps(dict(settings), sort_keys=True, ensure_ascii=False))


def when(at: datetime | None) -> str | None:
    """Day, minute and zone, as stored; None for None."""
    return None if at is None else at.strftime("%Y-%m-%d %H:%M UTC")
