"""Tables that several reports have: rates, gates, names, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from ghostbust.adapters import name_key
from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.records import GateReport, GateResult
from ghostbust.reports.figures import NamedIn, Paired, Part, Quoted, Rates, shown_name
from ghostbust.store.rounds import Round
from ghostbust.store.runs import RatePoint, Run
from ghostbust.store.tallies import NameTally

BASE = "base"
MOST_NAMES = 100
"""rows of a table of names"""
METHOD = (
    "A model is asked in three contexts: to write code (code), which packages a piece of code"
    " needs (needs), and which packages help with a task (helps). Each package that an answer"
    " names, in an install command, an import or a list, is looked up: REAL, ABSENT (no registry"
    " has it), SUSPECT (registered, and no real recommendation), BUILTIN (part of the language)"
    " or UNKNOWN (nobody could be asked). Invented are ABSENT and SUSPECT.",
    "The rate is invented / (invented + real) names, each name once an answer, over all answers"
    " together. The volume is real names per answer: a model that names nothing invents nothing,"
    " so no rate stands without it. UNKNOWN and BUILTIN names are in neither.",
    "In parentheses: 95 % intervals, by a bootstrap that draws whole families of prompts (a task"
    " with all that was rewritten from it). They tell how much another draw of tasks would change"
    " the figure, not what other tasks, other settings or another registry would. Where nothing"
    " was invented at all, the interval is 0 to 0 however little was asked: that proves nothing.",
)
REDACTED = (
    "Names that no registry has are shortened to their first letters and their length: whoever"
    " reads them in full could register them. --reveal shows them."
)


def method_part() -> Part:
    """How the figures come about."""
    return Part("method", "Method", METHOD)


def rates_table(title: str, models: Mapping[str, Sequence[Rates]]) -> Table:
    """Rates with their volume, a row for each model and context."""
    rows: list[dict[str, object]] = [
        {
            "model": Quoted(name),
            "context": one.context,
            "rate": one.rate,
            "volume": one.volume,
            "answers with an invention": one.answer_rate,
            "real": one.counts.real,
            "absent": one.counts.absent,
            "suspect": one.counts.suspect,
            "induced": one.counts.induced,
            "unknown": one.counts.unknown,
            "local": one.counts.local,
            "unmapped": one.counts.unmapped,
            "answers": one.counts.answers,
        }
        for name, several in models.items()
        for one in several
    ]
    return Table(title, tuple(rows))


def paired_table(title: str, pairs: Mapping[str, Sequence[Paired]]) -> Table:
    """Differences on the same prompts, a row for each pair and context."""
    rows: list[dict[str, object]] = [
        {
            "compared": Quoted(name),
            "context": one.context,
            "difference of the rates": one.difference,
            "drop of the rate": one.drop,
            "difference per answer": one.answer_difference,
            "volume ratio": one.volume_ratio,
            "families": one.families,
        }
        for name, several in pairs.items()
        for one in several
    ]
    notes = (
        "The second minus, or divided by, the first; families are drawn together, so what is hard"
        " for both cancels out. A drop is 1 - rate / the first's rate. An interval that holds 0"
        " (differences, drops) or 1 (ratios) is no difference that can be told from chance.",
    )
    return Table(title, tuple(rows), notes)


def gates_table(title: str, report: GateReport | None) -> Table:
    """What each gate said, the base beside the candidate; no row where they weren't run."""
    results = () if report is None else report.results
    return Table(title, tuple(_gate_row(result) for result in results))


def _gate_row(result: GateResult) -> dict[str, object]:
    low, high = result.ci or (None, None)
    return {
        "gate": Quoted(result.gate),
        "verdict": str(result.verdict),
        "base": result.base,
        "candidate": result.candidate,
        "interval from": low,
        "interval to": high,
        "condition to pass": Quoted(result.margin),
        "reason": Quoted(result.reason),
    }


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


def names_table(title: str, tallies: Sequence[NameTally], *, reveal: bool) -> Table:
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
    return Table(title, tuple(rows), notes_on_names(tallies, reveal=reveal))


def notes_on_names(tallies: Sequence[NameTally], *, reveal: bool) -> tuple[str, ...]:
    """That names are redacted, and that more are left out, where that is so."""
    notes = [] if reveal or not tallies else [REDACTED]
    if len(tallies) > MOST_NAMES:
        notes.append(
            f"The {MOST_NAMES} names of most answers, of {len(tallies)}; the report as JSON or"
            " SARIF has all of them."
        )
    return tuple(notes)


def history_table(title: str, points: Sequence[RatePoint]) -> Table:
    """Finished runs, oldest first."""
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
        }
        for point in points
    ]
    note = "Kinds of runs ask different prompts: one kind's rate doesn't compare with another's."
    return Table(title, tuple(rows), (note,) if rows else ())


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
        "settings": settings_text(run.spec.settings),
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
        "settings": settings_text(one.settings),
        "ghostbust": Quoted(one.version),
    }


def facts_table(title: str, facts: Mapping[str, object]) -> Table:
    """Each fact a row."""
    return Table(title, tuple({"what": name, "value": value} for name, value in facts.items()))


def settings_text(settings: Mapping[str, object]) -> Quoted:
    """Settings in one line."""
    return Quoted(json.dumps(dict(settings), sort_keys=True, ensure_ascii=False))


def when(at: datetime | None) -> str | None:
    """Day, minute and zone, as stored; None for None."""
    return None if at is None else at.strftime("%Y-%m-%d %H:%M UTC")
