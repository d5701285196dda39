"""Rates and names an answer from what the store counted, with intervals, and two models side by
side.

A model's own figures are those of an evaluation (``ghostbust.evaluation``), a comparison's those of
the gates (``SideBySide``), both from counts instead of answers, so that private prompts count too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from itertools import product

from ghostbust.evaluation import behaviour
from ghostbust.evaluation.behaviour import CountTable, Sums, clusters_of, draw_together
from ghostbust.evaluation.figures import ALL, LEVEL, Estimate, estimate, share_estimate, shown
from ghostbust.measure import NameCounts, Named, said_measure
from ghostbust.records import Context, Measurement
from ghostbust.side_by_side import BaseNames, SideBySide
from ghostbust.statistics import RESAMPLES, Floats, mean_bounds, ratio_bounds
from ghostbust.store.runs import Run, RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.tallies import SampleTally

UNDEFINED = Estimate(math.nan, math.nan, math.nan)
TAIL = (1 - LEVEL) / 2
"""beyond either end of an interval"""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one model named in one context."""

    context: str
    """a ``Context``, or ``all``"""
    rate: Estimate
    """invented / (invented + real)"""
    answer_rate: Estimate
    """answers with at least one invention / answers"""
    volume: Estimate
    """real names per answer"""
    all_names: Estimate
    """real, invented and unknown names per answer"""
    unknown: Estimate
    """unknown names / all names"""
    supported: Estimate | None
    """real names per answer that the first model, too, names for that prompt in another of its
    samples; undefined where it has one of a prompt, None where no other model is compared"""
    unsupported: Estimate | None
    """other real names / real names; None as above"""
    counts: NameCounts


@dataclass(frozen=True, slots=True)
class Paired:
    """One model compared with another on the same prompts, each family with itself.

    The figures and the bounds by which gates judge, at 95 % between both bounds.
    """

    context: str
    difference: Estimate
    """the second's rate minus the first's"""
    drop: Estimate
    """1 - the second's rate / the first's; with several contexts both with the first's weights"""
    answer_difference: Estimate
    """the second's share of answers that invent minus the first's"""
    supported: Estimate
    """the second's names per answer that the first supports / the first's own"""
    all_names: Estimate
    """the second's names of any kind per answer / the first's"""
    unknown: Estimate
    """the second's share of unknown names minus the first's"""
    unsupported: Estimate
    """the second's share of unsupported names minus the first's"""
    families: int


def figures_of(store: Store, run: Run) -> list[Rates]:
    """The figures of a run, as it printed them when it ended if that was by today's measure."""
    return rates_of(_named_in(store, run), seed=run.spec.seed, stored=_printed(run))


def figures_together(store: Store, runs: Mapping[str, Run]) -> dict[str, list[Rates]]:
    """The same of several runs on the same prompts; the first one's names are what is supported."""
    if not runs:
        return {}
    named, first = shared_tallies(store, runs), next(iter(runs))
    names = BaseNames(named[first], support_of(runs[first]))
    return {
        name: rates_of(
            named[name],
            seed=run.spec.seed,
            stored=_printed(run) if _is_whole(run, named[name]) else None,
            supported=[
                names.supported(one, own=name == first) if names.support else math.nan
                for one in named[name]
            ],
        )
        for name, run in runs.items()
    }


def shared_tallies(store: Store, runs: Mapping[str, Run]) -> dict[str, list[SampleTally]]:
    """What each sample named, of those that all runs have: prompt and number.

    A run may go on after it was compared, when another candidate needs more answers of the base.
    """
    every = {name: store.tallies.of_run(run.id) for name, run in runs.items()}
    keys = [{(one.prompt_id, one.number) for one in tallies} for tallies in every.values()]
    shared = set.intersection(*keys) if keys else set()
    return {
        name: [one for one in tallies if (one.prompt_id, one.number) in shared]
        for name, tallies in every.items()
    }


def _is_whole(run: Run, tallies: Sequence[SampleTally]) -> bool:
    return run.measurement is not None and run.measurement.answers == len(tallies)


def support_of(run: Run) -> int | None:
    """Of how many other samples one has to name what the run supports; None: of all others.

    Of those of one block, as at the gates, however many blocks the run was asked for.
    """
    samples = run.spec.settings.get("samples_per_prompt")
    return samples - 1 if isinstance(samples, int) and samples > 1 else None


def asked_of(named: Sequence[Named]) -> Counter[str]:
    """How often each prompt was answered, by its id."""
    return Counter(one.prompt_id for one in named)


def said_older(run: Run) -> str:
    """What a run printed that was measured by an older version, in a sentence; else empty."""
    found = run.measurement
    if found is None or not said_measure(found):
        return ""
    printed = shown(Estimate(found.rate, *found.ci95))
    here = "its figures here are of today's measure"
    if run.spec.kind is RunKind.INGEST:
        here = "it can't be counted anew, since the answers weren't kept"
    return f"Run {run.id} ended with a rate of {printed} by {said_measure(found)}; {here}."


def _named_in(store: Store, run: Run) -> Sequence[Named]:
    """What each sample of the run named; of a log, what each group of families did.

    Of a log, only answers that invent are stored as samples.
    """
    if run.spec.kind is not RunKind.INGEST:
        return store.tallies.of_run(run.id)
    return [
        Named("", str(key.group), Context(key.context), counts, frozenset())
        for key, counts in store.traffic.tally(run.id).items()
    ]


def _printed(run: Run) -> Measurement | None:
    """The run's measurement; None where samples can be counted anew by a newer measure."""
    found = run.measurement
    if found is not None and said_measure(found) and run.spec.kind is not RunKind.INGEST:
        return None
    return found


def rates_of(
    named: Sequence[Named],
    *,
    seed: int,
    stored: Measurement | None = None,
    supported: Sequence[float] | None = None,
) -> list[Rates]:
    """The figures of all contexts together, then of each that occurs; none without a sample.

    ``stored``: the measurement that the run printed when it ended. Rates and intervals are its.
    ``supported``: how many names of each are supported.
    """
    found = []
    for context, places in _by_context(named).items():
        part = [named[place] for place in places]
        support = None if supported is None else [supported[place] for place in places]
        counted = _counted(part, support)
        (sums,) = draw_together([counted], seed=seed, resamples=RESAMPLES)
        rate = _share("invented", "named", counted, sums)
        printed = stored
        if stored is not None and context != ALL:
            printed = stored.by_context.get(context)
        if printed is not None:
            rate = Estimate(printed.rate, *printed.ci95)

        counts = NameCounts.total(one.counts for one in part)
        inventing = _share("inventing", "answers", counted, sums)
        if counts.invented and not counts.inventing:  # an older version didn't count these answers
            inventing = UNDEFINED
        found.append(
            Rates(
                context=context,
                rate=rate,
                answer_rate=inventing,
                volume=_an_answer("real", sums),
                all_names=_an_answer("all", sums),
                unknown=_share("unknown", "all", counted, sums),
                supported=None if support is None else _an_answer("supported", sums),
                unsupported=(
                    None if support is None else _share("unsupported", "real", counted, sums)
                ),
                counts=counts,
            )
        )
    return found


def _share(part: str, whole: str, counted: CountTable, sums: Sums) -> Estimate:
    return share_estimate(behaviour.share(sums[part], sums[whole]), clusters_of(counted, whole))


def _an_answer(names: str, sums: Sums) -> Estimate:
    return estimate(behaviour.share(sums[names], sums["answers"]))


def compare(
    first: Sequence[Named], second: Sequence[Named], support: int | None = None
) -> list[Paired]:
    """The second compared with the first, in all contexts together and in each.

    ``support``: as in `SideBySide.of`. Raises ValueError if they didn't answer the same prompts,
    each as often.
    """
    if asked_of(first) != asked_of(second):
        raise ValueError("models that answered different prompts can't be compared")
    if not first:
        return []
    whole = SideBySide.of(first, second, support)
    parts = {ALL: whole} | {str(context): whole.only(context) for context in whole.contexts}
    return [_paired(context, pair) for context, pair in parts.items()]


def _paired(context: str, pair: SideBySide) -> Paired:
    difference, drop = UNDEFINED, UNDEFINED
    if pair.base["named"].sum() and pair.candidate["named"].sum():
        after, before = pair.rates()
        difference, drop = _mean(after - before), _drop(after, before)
    return Paired(
        context=context,
        difference=difference,
        drop=drop,
        answer_difference=_mean(pair.share_rises("inventing", "answers")),
        supported=_ratio(*pair.each_family("supported")) if pair.support else UNDEFINED,
        all_names=_ratio(*pair.each_family("all")),
        unknown=_mean(pair.share_rises("unknown", "all")),
        unsupported=_mean(pair.share_rises("unsupported", "real")) if pair.support else UNDEFINED,
        families=len(pair.families),
    )


def _mean(values: Floats) -> Estimate:
    return _bounded(float(values.mean()), mean_bounds(values, TAIL))


def _ratio(after: Floats, before: Floats) -> Estimate:
    """The ratio of the sums; undefined where the first has none."""
    if not before.sum():
        return UNDEFINED
    low, high = ratio_bounds(after, before, TAIL)
    return _bounded(float(after.sum() / before.sum()), (max(0.0, low), high))


def _drop(after: Floats, before: Floats) -> Estimate:
    ratio = _ratio(after, before)
    return _bounded(1 - ratio.value, (1 - ratio.high, 1 - ratio.low))


def _bounded(value: float, bounds: tuple[float, float]) -> Estimate:
    """Without an interval where the families are too few for one, and without a sum's last bits."""
    if not all(map(math.isfinite, bounds)):
        bounds = (math.nan, math.nan)
    return Estimate(*(round(figure, 12) + 0.0 for figure in (value, *bounds)))  # no -0.0


def _by_context(named: Sequence[Named]) -> dict[str, list[int]]:
    """The places of each context's."""
    parts = {ALL: list(range(len(named)))} if named else {}
    for context in Context:
        part = [place for place, one in enumerate(named) if one.context is context]
        if part:
            parts[str(context)] = part
    return parts


def _counted(named: Sequence[Named], supported: Sequence[float] | None) -> CountTable:
    """Counts as the columns that the figures of an evaluation are computed from."""
    names = ("answers", "real", "invented", "named", "unknown", "inventing")
    columns = {name: [float(getattr(one.counts, name)) for one in named] for name in names}
    columns["all"] = [float(one.counts.named + one.counts.unknown) for one in named]
    if supported is not None:
        columns["supported"] = list(supported)
        columns["unsupported"] = [
            real - some for real, some in zip(columns["real"], supported, strict=True)
        ]
    return CountTable([one.family for one in named], columns)


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
