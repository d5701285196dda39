"""A report of two adapters side by side, and of both beside the base."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations

import ghostbust
from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import Table, shown
from ghostbust.records import GateReport
from ghostbust.reports.figures import Paired, Part, Report, compare, newest_together, shown_name
from ghostbust.reports.period import history_part
from ghostbust.reports.round import figures_of
from ghostbust.reports.tables import (
    BASE,
    MOST_NAMES,
    facts_table,
    gates_table,
    method_part,
    names_of,
    notes_on_names,
    paired_table,
    rates_table,
    round_facts,
    run_facts,
)
from ghostbust.store.rounds import AdapterRow
from ghostbust.store.runs import Run
from ghostbust.store.store import Store
from ghostbust.store.tallies import NameTally


def comparison_report(
    store: Store, first: str, second: str, *, reveal: bool, now: datetime
) -> Report:
    """The two adapters (``base``: none) on the same prompts, as they were sampled last.

    Raises UsageError where there is no such adapter, where they are of different models, or where
    no run of both asked the same prompts.
    """
    rows = {name: _adapter(store, name) for name in (first, second) if name != BASE}
    runs = _runs(store, first, second, rows)
    tallies = {name: store.tallies.of_run(run.id) for name, run in runs.items()}
    pairs = {
        f"{a} -> {b}": compare(tallies[a], tallies[b], seed=0) for a, b in combinations(runs, 2)
    }
    names = {name: store.tallies.invented([run.id]) for name, run in runs.items()}
    every = store.tallies.invented(run.id for run in runs.values())
    gates = {name: store.rounds.gate_report(row.round_id) for name, row in rows.items()}
    said = {name: report for name, report in gates.items() if report is not None}
    model = next(iter(runs.values())).spec.model
    figures = {name: figures_of(store, run) for name, run in runs.items()}
    return Report(
        title=f"{first} beside {second} on {model}",
        lead=(_lead(first, second, pairs[f"{first} -> {second}"]),),
        parts=(
            Part(
                "rates", "Rates", ("All answered the same prompts.",),
                (rates_table("by context", figures), paired_table("compared", pairs)),
            ),
            _gates_part(said),
            Part("names", "Invented names", (), (_shared_names(names, every, reveal=reveal),)),
            history_part(store.runs.rates(model=model)),
            method_part(),
            _provenance(store, runs, rows),
        ),
        names=names_of(every, reveal=reveal),
        gates=tuple(said.values()),
        made=now,
        version=ghostbust.__version__,
        revealed=reveal,
    )  # fmt: skip


def _adapter(store: Store, name: str) -> AdapterRow:
    row = store.rounds.adapter(name)
    if row is None:
        raise UsageError(
            f"there is no adapter {name!r}; `ghostbust adapters list` shows them, 'base' is none"
        )
    return row


def _runs(store: Store, first: str, second: str, rows: Mapping[str, AdapterRow]) -> dict[str, Run]:
    """The runs to compare by the model's name, with the base's in front where it asked the same."""
    if first == second:
        raise UsageError("name two different adapters, or an adapter and 'base'")
    models = sorted({row.candidate.model for row in rows.values()})
    if len(models) > 1:
        raise UsageError(f"the adapters belong to different models: {' and '.join(models)}")
    asked: tuple[str | None, ...] = tuple(None if n == BASE else n for n in (first, second))
    found = None
    if BASE not in (first, second):
        found = newest_together(store, (None, *asked), model=models[0])
        if found is not None:
            return dict(zip((BASE, first, second), found, strict=True))
    found = newest_together(store, asked, model=models[0])
    if found is None:
        told = " ".join(f"--adapter {name}" for name in (first, second) if name != BASE)
        raise UsageError(
            f"no runs of {first} and {second} asked the same prompts; `ghostbust eval {told}` does"
        )
    return dict(zip((first, second), found, strict=True))


def _lead(first: str, second: str, pairs: Sequence[Paired]) -> str:
    whole = pairs[0]
    low, high = whole.difference.low, whole.difference.high
    told = "which chance alone could do" if low <= 0 <= high else "more than chance would do"
    return (
        f"On the same prompts of {whole.families} families, {second}'s rate differs from"
        f" {first}'s by {shown(whole.difference)}, {told}; it names {shown(whole.volume_ratio)}"
        " times as many real packages."
    )


def _gates_part(said: Mapping[str, GateReport]) -> Part:
    text = "Each gate compared its adapter with the base, not with the other adapter."
    tables = tuple(gates_table(f"gates of {name}", report) for name, report in said.items())
    return Part("gates", "Gates", (text if tables else "No gate was run.",), tables)


def _shared_names(
    names: Mapping[str, Sequence[NameTally]], every: Sequence[NameTally], *, reveal: bool
) -> Table:
    """How many answers of each model named each invented name."""
    counts = {
        model: {(one.ecosystem, one.name): one.samples for one in several}
        for model, several in names.items()
    }
    rows: list[dict[str, object]] = [
        {
            "name": shown_name(one.name, reveal=reveal),
            "registry": str(one.ecosystem),
            "verdict": str(one.verdict),
            **{
                f"answers of {model}": told.get((one.ecosystem, one.name), 0)
                for model, told in counts.items()
            },
        }
        for one in every[:MOST_NAMES]
    ]
    return Table("names", tuple(rows), notes_on_names(every, reveal=reveal))


def _provenance(store: Store, runs: Mapping[str, Run], rows: Mapping[str, AdapterRow]) -> Part:
    tables = [
        facts_table(f"round {row.round_id}", round_facts(store.rounds.get(row.round_id)))
        for row in rows.values()
    ]
    tables += [facts_table(f"run {run.id}", run_facts(run)) for run in runs.values()]
    return Part("provenance", "Provenance", (), tuple(tables))
