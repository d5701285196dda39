"""The gate on volume: does the candidate still name as many real packages as the base?

A model that names nothing invents nothing, and one that pads its lists with famous names
has a fine rate too. Both stop here.
"""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.gates.interface import inconclusive
from ghostbust.gates.pairing import MIN_FAMILIES, aligned, unpaired
from ghostbust.records import Answer, Context, GateResult, GateVerdict
from ghostbust.statistics import Interval, ratio_bootstrap

GATE = "volume"
LEVEL = 0.90
SLACK = 1.25
"""factor by which the interval may reach beyond the band on either side"""


def volume_gate(
    base: Sequence[Answer],
    candidate: Sequence[Answer],
    *,
    low: float = 0.8,
    high: float = 1.25,
    seed: int,
) -> GateResult:
    """Compares the real names per answer, each name once an answer.

    ratio = the candidate's mean / the base's over all contexts, with a 90 % bootstrap
    interval over prompt families. PASS: the ratio is within [``low``, ``high``] and the
    interval within [``low`` / 1.25, ``high`` · 1.25]. FAIL: the ratio is outside of
    [``low``, ``high``] and the interval doesn't hold the bound it crossed. Else
    INCONCLUSIVE, as when base and candidate can't be paired (``pairing``) or the base
    names real packages in fewer than ``MIN_FAMILIES`` families. The ratio of each context
    stands in the details and decides nothing.
    """
    condition = f"real names per answer within [{low:g}, {high:g}] of the base's"
    unusable = unpaired(base, candidate)
    if unusable:
        return inconclusive(GATE, unusable, condition)
    real = [float(len(answer.real)) for answer in aligned(base)]
    real_after = [float(len(answer.real)) for answer in aligned(candidate)]
    families = [answer.sample.prompt.family for answer in aligned(base)]
    productive = len({family for family, names in zip(families, real, strict=True) if names})
    if productive < MIN_FAMILIES:
        return inconclusive(
            GATE,
            f"the base names real packages in {productive} prompt families, needs {MIN_FAMILIES}",
            condition,
        )
    ratio = sum(real_after) / sum(real)
    interval = ratio_bootstrap(real_after, real, families, level=LEVEL, seed=seed)
    verdict, why = _judge(ratio, interval, low, high)
    before, after = sum(real) / len(real), sum(real_after) / len(real)
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"{before:.2f} -> {after:.2f} real names per answer over {len(real)} answers: a ratio"
            f" of {ratio:.2f} [{interval[0]:.2f}, {interval[1]:.2f}], {why}"
        ),
        base=before,
        candidate=after,
        ci=interval,
        margin=condition,
        details={
            "ratio": ratio,
            "answers": len(real),
            "families": len(set(families)),
            **_by_context(base, candidate),
            "seed": seed,
        },
    )


def _by_context(base: Sequence[Answer], candidate: Sequence[Answer]) -> dict[str, float | str]:
    """``ratio_<context>`` of every context that was asked; in words where the base names none."""
    ratios: dict[str, float | str] = {}
    for context in Context:
        before, after = (
            [len(answer.real) for answer in answers if answer.sample.prompt.context is context]
            for answers in (base, candidate)
        )
        if before:
            ratios[f"ratio_{context}"] = (
                sum(after) / sum(before) if sum(before) else f"0 -> {sum(after)} names"
            )
    return ratios


def _judge(ratio: float, interval: Interval, low: float, high: float) -> tuple[GateVerdict, str]:
    """The verdict, with why."""
    band = f"the band of {low:g} to {high:g}"
    if low <= ratio <= high:
        if low / SLACK <= interval[0] and interval[1] <= high * SLACK:
            return GateVerdict.PASS, f"within {band}"
        return (
            GateVerdict.INCONCLUSIVE,
            f"within {band}, but too uncertain: more prompts would tell",
        )
    crossed = low if ratio < low else high
    if interval[0] <= crossed <= interval[1]:
        return GateVerdict.INCONCLUSIVE, f"outside {band}, but not surely: more prompts would tell"
    return GateVerdict.FAIL, f"outside {band}"
