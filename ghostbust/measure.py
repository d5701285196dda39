"""Hallucination rate and volume of a set of answers. A rate is never computed without the volume.

Names count once per answer, so an answer that loops over one name weighs no more than one that
says it once. UNKNOWN and BUILTIN names are in neither figure. Intervals resample prompt families,
since answers to rewritings of one task are not independent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ghostbust.records import Answer, Context, Measurement, Verdict

RESAMPLES = 2000


def measure(answers: Sequence[Answer], *, seed: int = 0) -> Measurement:
    """The pooled rate, its interval and the volume, overall and in each context that occurs."""
    contexts = [c for c in Context if any(a.sample.prompt.context is c for a in answers)]
    return _measure(
        answers,
        seed,
        {
            c.value: _measure([a for a in answers if a.sample.prompt.context is c], seed, {})
            for c in contexts
        },
    )


def _measure(
    answers: Sequence[Answer], seed: int, by_context: dict[str, Measurement]
) -> Measurement:
    real = sum(len(a.real) for a in answers)
    absent = sum(len(a.names(Verdict.ABSENT)) for a in answers)
    suspect = sum(len(a.names(Verdict.SUSPECT)) for a in answers)
    refs = real + absent + suspect
    return Measurement(
        rate=(absent + suspect) / refs if refs else float("nan"),
        ci95=rate_interval(answers, seed=seed),
        refs=refs,
        real=real,
        absent=absent,
        suspect=suspect,
        unknown=sum(len(a.names(Verdict.UNKNOWN)) for a in answers),
        answers=len(answers),
        volume=real / len(answers) if answers else 0.0,
        by_context=by_context,
    )


def rate_interval(answers: Sequence[Answer], *, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap over prompt families; (nan, nan) where nothing was named."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for answer in answers:
        family = counts[answer.sample.prompt.family]
        family[0] += len(answer.invented)
        family[1] += len(answer.invented) + len(answer.real)
    return interval_of(np.array(list(counts.values()), dtype=float), seed=seed)


def interval_of(table: np.ndarray, *, seed: int = 0) -> tuple[float, float]:
    """The same over the rows of ``table`` (F, 2): invented names, and names, of each family."""
    if not len(table) or not table[:, 1].sum():
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(table), size=(RESAMPLES, len(table)))  # (R, F)
    sums = table[picks].sum(axis=1)  # (R, 2)
    rates = sums[sums[:, 1] > 0, 0] / sums[sums[:, 1] > 0, 1]
    low, high = np.percentile(rates, [2.5, 97.5])
    return (float(low), float(high))
