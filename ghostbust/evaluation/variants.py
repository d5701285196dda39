"""One row of a table for each variant of the measurement: base, adapted, and what is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ghostbust.counts import Counts
from ghostbust.measure import measure
from ghostbust.records import Answer, Measurement, Prompt
from ghostbust.samplers.interface import Sampler
from ghostbust.statistics import cluster_sums, percentile_interval, relative_drop, resampled_sums

LEVEL = 0.95

Ask = Callable[[Sampler, Sequence[Prompt]], Sequence[Answer]]
"""samples the prompts and judges the answers: settings and registry are the caller's"""

Measure = Callable[[Sampler], Sequence[Answer]]
"""the same, where the prompts are the caller's too"""


@dataclass(frozen=True, slots=True)
class Row:
    """Base and adapted model under one variant."""

    variant: str
    base: Measurement
    adapted: Measurement
    drop: float
    """1 - the adapted model's rate / the base's; NaN where the base invents nothing, or either
    names nothing"""
    drop_ci95: tuple[float, float]
    """bootstrap interval over prompt families, both sides drawn together"""
    note: str = ""
    """what else is to be known of the variant"""

    @property
    def volume_ratio(self) -> float:
        """Real names per answer, as a multiple of the base's; NaN where it names none."""
        return self.adapted.volume / self.base.volume if self.base.volume else math.nan


def compare(
    variant: str,
    base: Sequence[Answer],
    adapted: Sequence[Answer],
    *,
    note: str = "",
    seed: int = 0,
) -> Row:
    """The row of two sets of answers.

    They needn't answer the same prompts, as where each model goes on from its own answer; then
    the families keep them together.
    """
    before, after = measure(base, seed=seed), measure(adapted, seed=seed)
    known = before.absent + before.suspect and after.refs
    drop = 1 - after.rate / before.rate if known else math.nan
    interval = _drop_interval(base, adapted, seed) if known else (math.nan, math.nan)
    return Row(variant, before, after, drop, interval, note)


def _drop_interval(
    base: Sequence[Answer], adapted: Sequence[Answer], seed: int
) -> tuple[float, float]:
    families = [answer.sample.prompt.family for answer in (*base, *adapted)]
    counts = np.zeros((len(families), 4))  # invented, named; of the base, of the adapted model
    for number, answer in enumerate((*base, *adapted)):
        column = 0 if number < len(base) else 2
        named = Counts.of_answer(answer)
        counts[number, column : column + 2] = named.invented, named.named
    sums = cluster_sums(families, *counts.T.tolist())  # (families, 4)
    return percentile_interval(relative_drop(resampled_sums(sums, seed=seed)), LEVEL)
