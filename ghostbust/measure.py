"""Hallucination rate and volume of a set of answers. A rate is never computed without the volume.

What counts is in ``counts``: names once an answer, so that one that loops over a name weighs no
more than one that says it once; UNKNOWN and BUILTIN names, and those of the prompt, are in neither
figure. Intervals resample prompt families, since answers to rewritings of one task are not
independent.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np

from ghostbust.counts import Counts
from ghostbust.records import Answer, Context, Measurement

RESAMPLES = 2000
FEW_CLUSTERS = 10
"""with fewer, a bootstrap over clusters says too little: the gates' limit, too"""
_Z2 = NormalDist().inv_cdf(0.975) ** 2


def measure(answers: Sequence[Answer], *, seed: int = 0) -> Measurement:
    """The pooled rate, its interval and the volume, overall and in each context that occurs."""
    counted = [(answer.sample.prompt, Counts.of_answer(answer)) for answer in answers]
    contexts = [c for c in Context if any(prompt.context is c for prompt, _ in counted)]
    return measured(
        [(prompt.family, counts) for prompt, counts in counted],
        seed,
        {
            context.value: measured(
                [(prompt.family, c) for prompt, c in counted if prompt.context is context], seed
            )
            for context in contexts
        },
    )


def measured(
    counted: Sequence[tuple[str | int, Counts]],
    seed: int,
    by_context: Mapping[str, Measurement] | None = None,
) -> Measurement:
    """The same of counts, each with the family, or the group of families, that it is of."""
    total = Counts.total(counts for _, counts in counted)
    families: dict[str | int, Counts] = defaultdict(Counts)
    for family, counts in counted:
        families[family].add(counts)
    table = [(family.invented, family.named) for family in families.values()]
    return Measurement(
        rate=total.invented / total.named if total.named else float("nan"),
        ci95=interval_of(np.array(table, dtype=float).reshape(-1, 2), seed=seed),
        refs=total.named,
        real=total.real,
        absent=total.absent,
        suspect=total.suspect,
        unknown=total.unknown,
        answers=total.answers,
        volume=total.real / total.answers if total.answers else 0.0,
        by_context=dict(by_context or {}),
        local=total.local,
        unmapped=total.unmapped,
        induced=total.induced,
        induced_real=total.induced_real,
    )


def interval_of(table: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a rate: a percentile bootstrap over the rows of ``table`` (F, 2).

    A row has the invented names, and the names, of one family. Few families, or none that differs
    from the others, say less than a bootstrap can show: `widened_for_few`. (nan, nan) where nothing
    was named.
    """
    if not len(table) or not table[:, 1].sum():
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(RESAMPLES, len(table)))  # (R, F)
    sums = table[picks].sum(axis=1)  # (R, 2)
    rates = sums[sums[:, 1] > 0, 0] / sums[sums[:, 1] > 0, 1]
    low, high = np.percentile(rates, [2.5, 97.5])
    rate = float(table[:, 0].sum() / table[:, 1].sum())
    return widened_for_few((float(low), float(high)), rate, int((table[:, 1] > 0).sum()))


def widened_for_few(
    interval: tuple[float, float], share: float, clusters: int
) -> tuple[float, float]:
    """A 95 % bootstrap interval of a ``share``, no narrower than so few ``clusters`` allow.

    Of fewer than ``FEW_CLUSTERS``, and where the resamples don't differ (every name invented, or
    none), it is widened to Wilson's interval for ``clusters`` draws, as if each cluster were one:
    what varies together inside a cluster may be no more than that. Source: Wilson (1927), JASA 22,
    209-212; where nothing is invented its upper end is near the rule of three.
    """
    low, high = interval
    if not clusters or (clusters >= FEW_CLUSTERS and low < high):
        return interval
    centre = (share + _Z2 / (2 * clusters)) / (1 + _Z2 / clusters)
    spread = math.sqrt(_Z2 * (share * (1 - share) + _Z2 / (4 * clusters)) / clusters)
    half = spread / (1 + _Z2 / clusters)
    # At 0 and 1 the share is an end itself, but for rounding.
    return max(0.0, min(low, share, centre - half)), min(1.0, max(high, share, centre + half))
