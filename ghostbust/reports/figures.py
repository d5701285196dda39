"""Rates and volumes from what the store counted, with intervals, and two models side by side.

The same figures as those of an evaluation (``ghostbust.evaluation``), from counts instead of
answers, so that private prompts count too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import product

from ghostbust.evaluation import behaviour
from ghostbust.evaluation.behaviour import CountTable, clusters_of, draw_together
from ghostbust.evaluation.figures import ALL, Estimate, estimate, share_estimate
from ghostbust.measure import NameCounts
from ghostbust.records import Context, Measurement
from ghostbust.statistics import RESAMPLES
from ghostbust.store.runs import Run, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.tallies import SampleTally


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


@dataclass(frozen=True, slots=True)
class Paired:
    """One model compared with another on the same prompts; families are drawn together."""

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


def figures_of(store: Store, run: Run) -> list[Rates]:
    """The figures of a run, as it printed them when it ended."""
    return rates_of(store.tallies.of_run(run.id), seed=run.spec.seed, stored=run.measurement)


def rates_of(
    tallies: Sequence[SampleTally], *, seed: int, stored: Measurement | None = None
) -> list[Rates]:
    """The figures of all contexts together, then of each that occurs; none without a sample.

    ``stored``: the measurement that the run printed when it ended. Rates and intervals are its.
    """
    found = []
    for context, part in _by_context(tallies).items():
        counted = _counted(part)
        (sums,) = draw_together([counted], seed=seed, resamples=RESAMPLES)
        rate = share_estimate(behaviour.rate(sums), clusters_of(counted, "named"))
        printed = stored
        if stored is not None and context != ALL:
            printed = stored.by_context.get(context)
        if printed is not None:
            rate = Estimate(printed.rate, *printed.ci95)
        answer_rate = behaviour.answer_rate(sums)
        found.append(
            Rates(
                context=context,
                rate=rate,
                answer_rate=share_estimate(answer_rate, clusters_of(counted, "answers")),
                volume=estimate(behaviour.volume(sums)),
                counts=NameCounts.total(tally.counts for tally in part),
            )
        )
    return found


def compare(
    first: Sequence[SampleTally], second: Sequence[SampleTally], *, seed: int
) -> list[Paired]:
    """The second compared with the first, in all contexts together and in each.

    Raises ValueError if they aren't of the same prompt families.
    """
    firsts, seconds, found = _by_context(first), _by_context(second), []
    for context in firsts:
        counted = [_counted(firsts[context]), _counted(seconds[context])]
        before, after = draw_together(counted, seed=seed, resamples=RESAMPLES)
        drop = Estimate(math.nan, math.nan, math.nan)
        # Undefined if one names nothing or the first invents nothing. `relative_drop` gives a
        # value then too, one that speaks against a candidate: that is for gates.
        if before["invented"][0] and before["named"][0] and after["named"][0]:
            drop = estimate(behaviour.drop(before, after, "invented", "named"))
        per_answer = behaviour.answer_rate(after) - behaviour.answer_rate(before)
        found.append(
            Paired(
                context=context,
                difference=estimate(behaviour.rate(after) - behaviour.rate(before)),
                drop=drop,
                answer_difference=estimate(per_answer),
                volume_ratio=estimate(behaviour.volume_ratio(before, after)),
                families=len(set(counted[0].families)),
            )
        )
    return found


def _by_context(tallies: Sequence[SampleTally]) -> dict[str, list[SampleTally]]:
    parts = {ALL: list(tallies)} if tallies else {}
    for context in Context:
        part = [tally for tally in tallies if tally.context is context]
        if part:
            parts[str(context)] = part
    return parts


def _counted(tallies: Sequence[SampleTally]) -> CountTable:
    """Counts as the columns that the figures of an evaluation are computed from."""
    columns = {
        "answers": [1.0] * len(tallies),
        "real": [float(tally.counts.real) for tally in tallies],
        "invented": [float(tally.counts.invented) for tally in tallies],
        "named": [float(tally.counts.named) for tally in tallies],
        "with_invention": [float(bool(tally.counts.invented)) for tally in tallies],
    }
    return CountTable([tally.family for tally in tallies], columns)


def newest_together(
    store: Store, adapters: Sequence[str | None], *, model: str
) -> tuple[Run, ...] | None:
    """The newest finished runs of the adapters (None: the base) on the same prompts, in that order.

    The same prompts, as often, at the same temperature and other settings of the sampling. None
    if there are no such runs.
    """
    runs = store.runs.recent(-1, model=model, adapters=adapters, status=RunStatus.DONE)
    keys = cache(store.answers.sampled_keys)
    first, *others = [[run for run in runs if run.spec.adapter == name] for name in adapters]
    for one in first:
        if not keys(one.id):
            continue
        same = [[run for run in several if _alike(one, run, keys)] for several in others]
        for combined in product(*same):
            return (one, *combined)
    return None


def before_of(store: Store, after: Run) -> Run | None:
    """The newest finished run of the base, before ``after``, on the same prompts; None without."""
    keys = cache(store.answers.sampled_keys)
    runs = store.runs.recent(-1, model=after.spec.model, adapters=[None], status=RunStatus.DONE)
    return next((run for run in runs if run.id < after.id and _alike(after, run, keys)), None)


def _alike(one: Run, other: Run, keys: Callable[[int], Set[tuple[str, int]]]) -> bool:
    """Whether the other sampled what the one did in the same way; seeds may differ.

    The other may have more: a base that an earlier round asked for further blocks of answers.
    ``keys``: prompt id and number of every sample of a run. The prompts that a run began with are a
    setting too, which is left out: they differ where later prompts quote code.
    """
    names = ("temperature", "top_k", "top_p", "max_new_tokens", "samples_per_prompt")
    ours, theirs = one.spec.settings, other.spec.settings
    return all(ours.get(n) == theirs.get(n) for n in names) and keys(one.id) <= keys(other.id)
