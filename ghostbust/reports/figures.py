"""Rates and volumes of what the store counted, with intervals, and two models beside each other.

The same figures as those of an evaluation (``ghostbust.evaluation``), from counts instead of
answers, so that private prompts count too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ghostbust.counts import Counts
from ghostbust.evaluation import rates, volume
from ghostbust.evaluation.counting import Counted, Sums, clusters_of, draw_together
from ghostbust.evaluation.report import Estimate, estimate, share_estimate
from ghostbust.records import Context, Measurement
from ghostbust.statistics import RESAMPLES
from ghostbust.store import SampleTally

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
    counts: Counts
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
    rate = share_estimate(rates.rate(sums), clusters_of(counted, "named"))
    if stored is not None:
        rate = Estimate(stored.rate, *stored.ci95)
    return Rates(
        context=context,
        rate=rate,
        answer_rate=share_estimate(rates.answer_rate(sums), clusters_of(counted, "answers")),
        volume=estimate(volume.volume(sums)),
        counts=Counts.total(tally.counts for tally in tallies),
    )


def _paired(
    first: Sequence[SampleTally], second: Sequence[SampleTally], context: str, seed: int
) -> Paired:
    counted = [_counted(first), _counted(second)]
    before, after = draw_together(counted, seed=seed, resamples=RESAMPLES)
    return Paired(
        context=context,
        difference=estimate(rates.rate(after) - rates.rate(before)),
        drop=_drop(before, after),
        answer_difference=estimate(rates.answer_rate(after) - rates.answer_rate(before)),
        volume_ratio=estimate(volume.volume_ratio(before, after)),
        families=len(set(counted[0].families)),
    )


def _drop(before: Sums, after: Sums) -> Estimate:
    """The relative drop; not defined where one of them names nothing or the first invents nothing.

    ``relative_drop`` then says what speaks against a candidate, which is for gates.
    """
    if not (before["invented"][0] and before["named"][0] and after["named"][0]):
        return Estimate(math.nan, math.nan, math.nan)
    return estimate(rates.drop(before, after, "invented", "named"))


def _counted(tallies: Sequence[SampleTally]) -> Counted:
    columns = {
        "answers": [1.0] * len(tallies),
        "real": [float(tally.counts.real) for tally in tallies],
        "invented": [float(tally.counts.invented) for tally in tallies],
        "named": [float(tally.counts.named) for tally in tallies],
        "with_invention": [float(bool(tally.counts.invented)) for tally in tallies],
    }
    return Counted([tally.family for tally in tallies], columns)
