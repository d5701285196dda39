"""A report of one round: the base and its candidate side by side, gates, training, names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import ghostbust
from ghostbust.adapters import Manifest, read_adapter
from ghostbust.errors import ModelError, StoreError, UsageError
from ghostbust.evaluation.figures import shown
from ghostbust.measure import said_unknown
from ghostbust.reports.figures import Paired, Part, Rates, Report, before_of, compare, rates_of
from ghostbust.reports.period import history_part, loss_part
from ghostbust.reports.tables import (
    BASE,
    facts_table,
    gates_table,
    method_part,
    names_of,
    names_table,
    paired_table,
    rates_table,
    round_facts,
    run_facts,
)
from ghostbust.store.rounds import AdapterRow, Round
from ghostbust.store.runs import Run, RunKind, RunStatus
from ghostbust.store.store import Store

NO_MEASUREMENT = "The store has no run of the base and the candidate on the same prompts."
HELD_OUT = "Both answered the same held-out prompts, which never train."


def round_report(store: Store, round_id: int, *, reveal: bool, now: datetime) -> Report:
    """What the round came to, and what made it. Raises UsageError where there is no such round."""
    try:
        one = store.rounds.get(round_id)
    except StoreError as exc:
        raise UsageError(f"{exc}; `ghostbust report` without a subject lists them") from exc
    gates = store.rounds.gate_report(round_id)
    runs = gate_runs(store, one)
    figures = {name: figures_of(store, run) for name, run in runs.items()}
    pairs = _pairs(store, runs, one.seed)
    names = store.tallies.invented(run.id for run in runs.values())
    manifest, missing = manifest_of(store, one)
    return Report(
        title=f"Round {round_id} on {one.model}",
        lead=_lead(one, figures, pairs),
        parts=(
            Part("gates", "Gates", (_gates_said(one),), (gates_table("gates", gates),)),
            _rates_part(figures, pairs),
            Part("names", "Invented names", (), (names_table("names", names, reveal=reveal),)),
            loss_part(manifest, missing),
            history_part(store.runs.rates(model=one.model)),
            method_part(),
            _provenance(one, runs, store.rounds.adapter(one.adapter or "")),
        ),
        names=names_of(names, reveal=reveal),
        gates=() if gates is None else (gates,),
        made=now,
        version=ghostbust.__version__,
        revealed=reveal,
    )


def gate_runs(store: Store, one: Round) -> dict[str, Run]:
    """The runs by which the round was judged, the base's first; by adapter, as far as there are."""
    if one.adapter is None:
        return {}
    kinds = (RunKind.GATE, RunKind.DEMO)
    judged = store.runs.recent(-1, kinds=kinds, adapters=[one.adapter], measured=True)
    if not judged:
        return {}
    after = judged[-1]
    before = before_of(store, after)
    return ({} if before is None else {BASE: before}) | {one.adapter: after}


def figures_of(store: Store, run: Run) -> list[Rates]:
    """The figures of a run, as it printed them."""
    return rates_of(store.tallies.of_run(run.id), seed=run.spec.seed, stored=run.measurement)


def _pairs(store: Store, runs: Mapping[str, Run], seed: int) -> dict[str, list[Paired]]:
    if len(runs) < 2:
        return {}
    before, after = (store.tallies.of_run(run.id) for run in runs.values())
    return {" -> ".join(runs): compare(before, after, seed=seed)}


def _rates_part(
    figures: Mapping[str, Sequence[Rates]], pairs: Mapping[str, Sequence[Paired]]
) -> Part:
    if not figures:
        return Part("rates", "Rates", (NO_MEASUREMENT,))
    tables = (rates_table("by context", figures),)
    if not pairs:
        return Part("rates", "Rates", (NO_MEASUREMENT,), tables)
    return Part("rates", "Rates", (HELD_OUT,), (*tables, paired_table("compared", pairs)))


def _lead(
    one: Round, figures: Mapping[str, Sequence[Rates]], pairs: Mapping[str, Sequence[Paired]]
) -> tuple[str, ...]:
    said = [f"The round is {one.state}{f': {one.reason}' if one.reason else ''}."]
    if pairs:
        (whole, *_), (before, after) = next(iter(pairs.values())), figures.values()
        said.append(
            f"On held-out prompts the rate went from {shown(before[0].rate)} to"
            f" {shown(after[0].rate)}, a drop of {shown(whole.drop)}, and the volume from"
            f" {shown(before[0].volume)} to {shown(after[0].volume)} real names per answer, a"
            f" ratio of {shown(whole.volume_ratio)}."
        )
    return tuple(said)


def _gates_said(one: Round) -> str:
    if one.verdict is None:
        return "The gates weren't run, so nothing may serve."
    return (
        f"The gates say {one.verdict}. Each compares the candidate with the base; only PASS of all"
        " of them promotes, and what can't tell is INCONCLUSIVE. The interval is that of the"
        " quantity that the reason names."
    )


def manifest_of(store: Store, one: Round) -> tuple[Manifest | None, str]:
    """The adapter's manifest, checked; else why there is none."""
    row = None if one.adapter is None else store.rounds.adapter(one.adapter)
    if row is None:
        return None, "The round made no adapter."
    try:
        return read_adapter(row.candidate.path), ""
    except ModelError:
        return None, "The adapter's folder is gone or was changed, so its losses aren't known."


def _provenance(one: Round, runs: Mapping[str, Run], row: AdapterRow | None) -> Part:
    facts = round_facts(one)
    if row is not None:
        facts |= {
            "steps": row.candidate.steps,
            "last loss": row.candidate.final_loss,
            "seconds of training": row.candidate.train_s,
        }
    tables = [facts_table("the round", facts)]
    tables += [facts_table(f"run {run.id}", run_facts(run)) for run in runs.values()]
    return Part("provenance", "Provenance", (), tuple(tables))


# --- run
# A report of one run.


def run_report(store: Store, run_id: int, *, reveal: bool, now: datetime) -> Report:
    """What the run found, and what made it. Raises UsageError where there is no such run."""
    try:
        run = store.runs.get(run_id)
    except StoreError as exc:
        raise UsageError(f"{exc}; `ghostbust report` without a subject lists them") from exc
    figures = rates_of(store.tallies.of_run(run_id), seed=run.spec.seed, stored=run.measurement)
    names = store.tallies.invented([run_id])
    model = run.spec.adapter or BASE
    others = store.runs.rates(model=run.spec.model)
    return Report(
        title=f"Run {run_id}: {model} on {run.spec.model}",
        lead=(*said_of(figures), *_unfinished(run)),
        parts=(
            Part("rates", "Rates", (), (rates_table("by context", {model: figures}),)),
            Part("names", "Invented names", (), (names_table("names", names, reveal=reveal),)),
            history_part(others),
            method_part(),
            Part("provenance", "Provenance", (), (facts_table("the run", run_facts(run)),)),
        ),
        names=names_of(names, reveal=reveal),
        gates=(),
        made=now,
        version=ghostbust.__version__,
        revealed=reveal,
    )


def said_of(figures: list[Rates]) -> tuple[str, ...]:
    """The figures of all contexts together, in a sentence."""
    if not figures:
        return ("No answer is logged.",)
    whole, counts = figures[0], figures[0].counts
    unknown = said_unknown(counts.unknown, counts.local, counts.unmapped)
    return (
        f"Of {counts.named} package names in {counts.answers} answers, {counts.invented} are"
        f" invented: a rate of {shown(whole.rate)} at a volume of {shown(whole.volume)} real names"
        f" per answer. Not in the rate: {counts.induced} inventions and {counts.induced_real} real"
        f" names that the prompt had named, and names that could not be judged ({unknown}).",
    )


def _unfinished(run: Run) -> tuple[str, ...]:
    if run.status is RunStatus.DONE:
        return ()
    return (f"The run is {run.status}, so these figures are of what it had logged.",)
