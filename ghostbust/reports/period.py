"""A report of all that happened between two days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import ghostbust
from ghostbust.evaluation.report import Table
from ghostbust.records import Promotion
from ghostbust.reports.history import history_part
from ghostbust.reports.records import Part, Quoted, Report, shown_name
from ghostbust.reports.tables import (
    BASE,
    facts_table,
    gates_table,
    method_part,
    names_of,
    names_table,
    when,
)
from ghostbust.store import Alarm, NameTally, Round, Store


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
