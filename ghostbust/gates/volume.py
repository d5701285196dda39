"""The gate on volume: whether the candidate names as many real packages as the base.

A model that names nothing invents nothing, and one that pads its lists with famous names has a fine
rate too. Both stop here, also where one context hides behind another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ghostbust.gates.interface import MIN_FAMILIES, Pair, by_context, inconclusive, paired, unpaired
from ghostbust.measure import NameCounts
from ghostbust.records import Answer, GateResult, GateVerdict
from ghostbust.statistics import Interval, ratio_bootstrap

GATE = "volume"
LEVEL = 0.90
SLACK = 1.25
"""factor by which the interval may reach beyond the band on either side"""


@dataclass(frozen=True, slots=True)
class _Named:
    """Real names of both sides."""

    before: float
    after: float
    interval: Interval
    """of their ratio"""
    productive: int
    """prompt families in which the base names any"""

    @property
    def ratio(self) -> float:
        return self.after / self.before if self.before else math.inf


def volume_gate(
    base: Sequence[Answer],
    candidate: Sequence[Answer],
    *,
    low: float = 0.8,
    high: float = 1.25,
    context_low: float = 0.5,
    context_high: float = 2.0,
    seed: int,
) -> GateResult:
    """Compares the real names per answer, each name once an answer.

    ratio = the candidate's mean / the base's over all contexts, with a 90 % bootstrap interval over
    prompt families. PASS: the ratio is within [``low``, ``high``] and the interval within
    [``low`` / 1.25, ``high`` · 1.25]. FAIL: the ratio is outside of [``low``, ``high``] and the
    interval doesn't hold the bound it crossed; or, whatever all contexts together show, one
    context's whole interval is outside of [``context_low``, ``context_high``], which are never
    narrower than the others. Else INCONCLUSIVE, as when base and candidate can't be paired or the
    base names real packages in fewer than ``MIN_FAMILIES`` families. A context with fewer decides
    nothing.
    """
    condition = f"real names per answer within [{low:g}, {high:g}] of the base's"
    unusable = unpaired(base, candidate)
    if unusable:
        return inconclusive(GATE, unusable, condition)
    pairs = paired(base, candidate, lambda answer: float(NameCounts.of_answer(answer).real))
    whole = _named(pairs, seed)
    if whole.productive < MIN_FAMILIES:
        return inconclusive(
            GATE,
            f"the base names real packages in {whole.productive} prompt families, needs"
            f" {MIN_FAMILIES}",
            condition,
        )
    ratio, interval = whole.ratio, whole.interval
    band = f"the band of {low:g} to {high:g}"
    crossed = low if ratio < low else high
    if low <= ratio <= high:
        if low / SLACK <= interval[0] and interval[1] <= high * SLACK:
            verdict, why = GateVerdict.PASS, f"within {band}"
        else:
            verdict = GateVerdict.INCONCLUSIVE
            why = f"within {band}, but too uncertain: more prompts would tell"
    elif interval[0] <= crossed <= interval[1]:
        verdict = GateVerdict.INCONCLUSIVE
        why = f"outside {band}, but not surely: more prompts would tell"
    else:
        verdict, why = GateVerdict.FAIL, f"outside {band}"

    contexts = {context: _named(part, seed) for context, part in by_context(pairs).items()}
    context_low, context_high = min(low, context_low), max(high, context_high)
    astray = [
        f"{context} at {its.ratio:.2f}"
        for context, its in contexts.items()
        if its.productive >= MIN_FAMILIES
        and (its.interval[1] < context_low or its.interval[0] > context_high)
    ]
    if astray and verdict is not GateVerdict.FAIL:
        verdict = GateVerdict.FAIL
        why = f"but {', '.join(astray)}: surely outside {context_low:g} to {context_high:g}"
    before, after = whole.before / len(base), whole.after / len(base)
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"{before:.2f} -> {after:.2f} real names per answer over {len(base)} answers: a ratio"
            f" of {ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}], {why}"
        ),
        base=before,
        candidate=after,
        ci=interval,
        margin=condition,
        details={
            "ratio": ratio,
            "answers": len(base),
            "families": len({pair.prompt.family for pair in pairs}),
            **{
                f"ratio_{context}": its.ratio if its.before else f"0 -> {its.after:g} names"
                for context, its in contexts.items()
            },
            "seed": seed,
        },
    )


def _named(pairs: Sequence[Pair], seed: int) -> _Named:
    before, after = [pair.base for pair in pairs], [pair.candidate for pair in pairs]
    families = [pair.prompt.family for pair in pairs]
    interval = ratio_bootstrap(after, before, families, level=LEVEL, seed=seed)
    productive = len({pair.prompt.family for pair in pairs if pair.base})
    return _Named(sum(before), sum(after), interval, productive)
