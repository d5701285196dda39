"""The gate on faults: whether the candidate's answers are as often whole answers as the base's.

A model that opens a fence and ends, or writes an install command without a package, invents
nothing. Where other contexts name a little more, the volume doesn't show it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.answer_faults import faults_of
from ghostbust.gates.interface import Pair, by_context, inconclusive, paired, unpaired
from ghostbust.records import Answer, GateResult, GateVerdict
from ghostbust.statistics import Interval, paired_bootstrap

GATE = "faults"
LEVEL = 0.90


def faults_gate(
    base: Sequence[Answer], candidate: Sequence[Answer], *, margin: float = 0.1, seed: int
) -> GateResult:
    """Compares the share of empty, malformed or looping answers (``measure.faults_of``).

    rise = the candidate's share - the base's, with a 90 % bootstrap interval over prompt families,
    both sides drawn together. PASS: the interval lies at or below ``margin``. FAIL: the rise is
    above it and the interval above 0; or, whatever all contexts together show, the interval of one
    context lies above ``margin``. Else INCONCLUSIVE, as when base and candidate can't be paired.
    """
    condition = f"share of answers with a fault: a rise of at most {margin:g}"
    unusable = unpaired(base, candidate)
    if unusable:
        return inconclusive(GATE, unusable, condition)
    pairs = paired(base, candidate, lambda answer: float(bool(faults_of(answer))))
    before, after, interval = _rise(pairs, seed)
    rise = after - before
    contexts = {context: _rise(part, seed) for context, part in by_context(pairs).items()}
    worse = [str(context) for context, (_, _, its) in contexts.items() if its[0] > margin]
    if worse:
        verdict, why = GateVerdict.FAIL, f"surely more than {margin:g} in {' and '.join(worse)}"
    elif interval[1] <= margin:
        verdict, why = GateVerdict.PASS, f"within the margin of {margin:g}"
    elif rise > margin and interval[0] > 0:
        verdict, why = GateVerdict.FAIL, f"more than the margin of {margin:g}"
    else:
        verdict = GateVerdict.INCONCLUSIVE
        why = f"not surely within the margin of {margin:g}: more prompts would tell"
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"{before:.3f} -> {after:.3f} of {len(base)} answers have a fault: a rise of"
            f" {rise:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}], {why}"
        ),
        base=before,
        candidate=after,
        ci=interval,
        margin=condition,
        details={
            "rise": rise,
            "answers": len(base),
            **{f"rise_{context}": late - early for context, (early, late, _) in contexts.items()},
            "seed": seed,
        },
    )


def _rise(pairs: Sequence[Pair], seed: int) -> tuple[float, float, Interval]:
    """Both shares of faulty answers, and the interval of their difference."""
    before, after = [pair.base for pair in pairs], [pair.candidate for pair in pairs]
    families = [pair.prompt.family for pair in pairs]
    interval = paired_bootstrap(before, after, families, level=LEVEL, seed=seed)
    return sum(before) / len(pairs), sum(after) / len(pairs), interval
