"""A report of one run."""

from __future__ import annotations

from datetime import datetime

import ghostbust
from ghostbust.counts import said_unknown
from ghostbust.errors import StoreError, UsageError
from ghostbust.evaluation.wording import shown
from ghostbust.reports.figures import Rates, rates_of
from ghostbust.reports.history import history_part
from ghostbust.reports.records import Part, Report
from ghostbust.reports.tables import (
    BASE,
    facts_table,
    method_part,
    names_of,
    names_table,
    rates_table,
    run_facts,
)
from ghostbust.store import Run, RunStatus, Store


def run_report(store: Store, run_id: int, *, reveal: bool, now: datetime) -> Report:
    """What the run found, and what made it. Raises UsageError where there is no such run."""
    try:
        run = store.runs.get(run_id)
    except StoreError as exc:
        raise UsageError(f"{exc}; `ghostbust report` without a subject lists them") from exc
    figures = rates_of(store.tallies.of_run(run_id), seed=run.spec.seed, stored=run.measurement)
    names = store.tallies.invented([run_id])
    model = run.spec.adapter or BASE
    others = [point for point in store.runs.rates() if point.model == run.spec.model]
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
