"""Rates and volumes of what the store counted, with intervals, and two models beside each other.

The same figures as those of an evaluation (``ghostbust.evaluation``), from counts instead of
answers, so that private prompts count too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from ghostbust.evaluation import behaviour
from ghostbust.evaluation.behaviour import CountTable, Sums, clusters_of, draw_together
from ghostbust.evaluation.figures import Estimate, Table, estimate, share_estimate
from ghostbust.measure import NameCounts
from ghostbust.records import Context, Ecosystem, GateReport, Measurement, Verdict
from ghostbust.statistics import RESAMPLES
from ghostbust.store.runs import Run, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.tallies import SampleTally
from ghostbust.text import redact

ALL = "all"
"""all contexts together"""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rate and volume of one model in one context."""

    context: str
    """a ``Context``, or ``all``"""
    rate: Estimate
    """invented / (invented + real)"""
    answer_rate: Estimate
    """answers with at least one invention / answers"""
    volume: Estimate
    """real names per answer"""
    counts: NameCounts
    """what was counted"""


@dataclass(frozen=True, slots=True)
class Paired:
    """One model set against another on the same prompts, families drawn together."""

    context: str
    difference: Estimate
    """the second's rate minus the first's"""
    drop: Estimate
    """1 - the second's rate / the first's"""
    answer_difference: Estimate
    """the second's rate per answer minus the first's"""
    volume_ratio: Estimate
    """the second's volume / the first's"""
    families: int


def rates_of(
    tallies: Sequence[SampleTally], *, seed: int, stored: Measurement | None = None
) -> list[Rates]:
    """The figures of all contexts together, then of each that occurs; none without a sample.

    Rate and interval are those of the ``stored`` measurement, where there is one: what the run
    printed when it ended.
    """
    return [
        _rates(part, context, seed, _stored(stored, context))
        for context, part in _by_context(tallies).items()
    ]


def compare(
    first: Sequence[SampleTally], second: Sequence[SampleTally], *, seed: int
) -> list[Paired]:
    """The second beside the first, in all contexts together and in each.

    Raises ValueError where they aren't of the same prompt families.
    """
    before, after = _by_context(first), _by_context(second)
    return [_paired(before[context], after[context], context, seed) for context in before]


def _by_context(tallies: Sequence[SampleTally]) -> Mapping[str, list[SampleTally]]:
    parts = {ALL: list(tallies)} if tallies else {}
    for context in Context:
        part = [tally for tally in tallies if tally.context is context]
        if part:
            parts[str(context)] = part
    return parts


def _stored(measurement: Measurement | None, context: str) -> Measurement | None:
    if measurement is None or context == ALL:
        return measurement
    return measurement.by_context.get(context)


def _rates(
    tallies: Sequence[SampleTally], context: str, seed: int, stored: Measurement | None
) -> Rates:
    counted = _counted(tallies)
    (sums,) = draw_together([counted], seed=seed, resamples=RESAMPLES)
    rate = share_estimate(behaviour.rate(sums), clusters_of(counted, "named"))
    if stored is not None:
        rate = Estimate(stored.rate, *stored.ci95)
    return Rates(
        context=context,
        rate=rate,
        answer_rate=share_estimate(behaviour.answer_rate(sums), clusters_of(counted, "answers")),
        volume=estimate(behaviour.volume(sums)),
        counts=NameCounts.total(tally.counts for tally in tallies),
    )


def _paired(
    first: Sequence[SampleTally], second: Sequence[SampleTally], context: str, seed: int
) -> Paired:
    counted = [_counted(first), _counted(second)]
    before, after = draw_together(counted, seed=seed, resamples=RESAMPLES)
    return Paired(
        context=context,
        difference=estimate(behaviour.rate(after) - behaviour.rate(before)),
        drop=_drop(before, after),
        answer_difference=estimate(behaviour.answer_rate(after) - behaviour.answer_rate(before)),
        volume_ratio=estimate(behaviour.volume_ratio(before, after)),
        families=len(set(counted[0].families)),
    )


def _drop(before: Sums, after: Sums) -> Estimate:
    """The relative drop; not defined where one of them names nothing or the first invents nothing.

    ``relative_drop`` then says what speaks against a candidate, which is for gates.
    """
    if not (before["invented"][0] and before["named"][0] and after["named"][0]):
        return Estimate(math.nan, math.nan, math.nan)
    return estimate(behaviour.drop(before, after, "invented", "named"))


def _counted(tallies: Sequence[SampleTally]) -> CountTable:
    columns = {
        "answers": [1.0] * len(tallies),
        "real": [float(tally.counts.real) for tally in tallies],
        "invented": [float(tally.counts.invented) for tally in tallies],
        "named": [float(tally.counts.named) for tally in tallies],
        "with_invention": [float(bool(tally.counts.invented)) for tally in tallies],
    }
    return CountTable([tally.family for tally in tallies], columns)


# --- records
# What a report is made of, whatever it is written as.


class Quoted(str):
    """Text that others wrote, such as a name or a model: shown as it is, never as markup."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One measured point of a line."""

    x: float
    y: Estimate
    """its interval is drawn where it has one"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one thing, from left to right."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot of a few lines. All that it shows stands in a table of the same part, too."""

    title: str
    description: str
    """what it shows, for whoever can't see it"""
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    ticks: Mapping[float, str]
    """what is written below the axis, and where"""
    from_zero: bool = True
    """whether the y axis begins at 0"""


@dataclass(frozen=True, slots=True)
class Part:
    """One section."""

    name: str
    """a word that no other part of the report has"""
    title: str
    text: tuple[str, ...] = ()
    """paragraphs"""
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedIn:
    """An invented name as a report shows it."""

    ecosystem: Ecosystem
    name: Quoted
    """redacted, unless the report was asked to reveal it"""
    key: str
    """hash of the whole name (``adapters.name_key``), the same in every report"""
    verdict: Verdict
    reason: str
    samples: int
    """that named it, of what the report is about"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the store says of one subject."""

    title: str
    lead: tuple[str, ...]
    """what came of it, in sentences"""
    parts: tuple[Part, ...]
    names: tuple[NamedIn, ...]
    """every invented name of the subject"""
    gates: tuple[GateReport, ...]
    made: datetime
    version: str
    """of ghostbust, which made the report"""
    revealed: bool
    """whether unregistered names stand in it in full"""


def shown_name(name: str, *, reveal: bool) -> Quoted:
    """A name as a report may show it."""
    return Quoted(name if reveal else redact(name))


# --- pairs
# Runs of several models on the very same prompts, found in the store by what they asked.

Sampled = frozenset[tuple[str, int]]
"""prompt id and number of every sample of a run"""


class Asked:
    """What each run asked, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[int, Sampled] = {}

    def of(self, run: Run) -> Sampled:
        """What the run asked."""
        if run.id not in self._known:
            self._known[run.id] = frozenset(self._store.answers.sampled_keys(run.id))
        return self._known[run.id]


def newest_together(
    store: Store, adapters: Sequence[str | None], *, model: str
) -> tuple[Run, ...] | None:
    """The newest finished run of each adapter (None: the base) that asked the same, in that order.

    The same prompts, as often, at the same temperature and other settings of the sampling. None
    where there are none.
    """
    runs = store.runs.recent(-1, model=model, adapters=adapters, status=RunStatus.DONE)
    asked = Asked(store)
    first, *others = [[run for run in runs if run.spec.adapter == name] for name in adapters]
    for one in first:
        if not asked.of(one):
            continue
        same = [[run for run in several if _alike(asked, one, run)] for several in others]
        for combined in product(*same):
            return (one, *combined)
    return None


def before_of(store: Store, after: Run) -> Run | None:
    """The newest finished run of the base that asked what a later run asked; None without one."""
    asked = Asked(store)
    runs = store.runs.recent(-1, model=after.spec.model, adapters=[None], status=RunStatus.DONE)
    return next((run for run in runs if run.id < after.id and _alike(asked, after, run)), None)


def _alike(asked: Asked, one: Run, other: Run) -> bool:
    """Whether they asked the same prompts in the same way; seeds may differ."""
    return _sampling(one) == _sampling(other) and asked.of(one) == asked.of(other)


def _sampling(run: Run) -> dict[str, object]:
    """How the run sampled. Not what it was asked first, which differs where code is quoted."""
    return {
        name: run.spec.settings.get(name)
        for name in ("temperature", "top_k", "top_p", "max_new_tokens", "samples_per_prompt")
    }
