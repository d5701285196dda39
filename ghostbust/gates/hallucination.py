"""The gate on the held-out hallucination rate: does the candidate invent enough less?"""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.gates.interface import aligned, inconclusive, unpaired
from ghostbust.measure import NameCounts
from ghostbust.records import Answer, GateResult, GateVerdict
from ghostbust.statistics import (
    Floats,
    cluster_sums,
    percentile_interval,
    relative_drop,
    resampled_sums,
)

GATE = "hallucination"
LEVEL = 0.95


def rate_gate(
    base: Sequence[Answer],
    candidate: Sequence[Answer],
    *,
    min_drop: float = 0.5,
    min_refs: int = 50,
    seed: int,
) -> GateResult:
    """Compares the pooled rate invented / (invented + real) on held-out prompts.

    drop = 1 - the candidate's rate / the base's, with a 95 % bootstrap interval over
    prompt families, both sides drawn together. PASS: drop >= ``min_drop`` and the
    interval lies above 0. FAIL: the whole interval lies below ``min_drop``. Else
    INCONCLUSIVE, as when base and candidate can't be paired (``pairing``), the base names
    fewer than ``min_refs`` names, invents none, or the candidate names nothing.

    Says nothing of how much is named: never promote without ``volume_gate``.
    """
    condition = f"relative drop of the rate >= {min_drop:g}, its 95 % interval above 0"
    unusable = unpaired(base, candidate)
    if unusable:
        return inconclusive(GATE, unusable, condition)
    sums = _family_sums(aligned(base), aligned(candidate))
    invented, named, invented_after, named_after = sums.sum(axis=0).tolist()
    if named < min_refs:
        return inconclusive(
            GATE, f"too few names: the base names {named:.0f}, needs {min_refs}", condition
        )
    if not invented or not named_after:
        nothing = "the base invents nothing" if named_after else "the candidate names nothing"
        return inconclusive(GATE, f"{nothing}, so the rate can't be compared", condition)
    drop = float(relative_drop(sums.sum(axis=0, keepdims=True))[0])
    low, high = percentile_interval(relative_drop(resampled_sums(sums, seed=seed)), LEVEL)
    verdict, why = _judge(drop, low, high, min_drop)
    before, after = invented / named, invented_after / named_after
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"rate {before:.4f} ({invented:.0f} of {named:.0f}) -> {after:.4f}"
            f" ({invented_after:.0f} of {named_after:.0f}): a drop of {drop:.1%}"
            f" [{low:.1%}, {high:.1%}], {why}"
        ),
        base=before,
        candidate=after,
        ci=(low, high),
        margin=condition,
        details={
            "drop": drop,
            "answers": len(base),
            "families": len(sums),
            **_apart("base", base),
            **_apart("candidate", candidate),
            "seed": seed,
        },
    )


def _family_sums(base: Sequence[Answer], candidate: Sequence[Answer]) -> Floats:
    """Per family: invented and all names of the base, then of the candidate: (C, 4)."""
    columns: list[list[float]] = []
    for answers in (base, candidate):
        counted = [NameCounts.of_answer(answer) for answer in answers]
        columns.append([float(counts.invented) for counts in counted])
        columns.append([float(counts.named) for counts in counted])
    return cluster_sums([answer.sample.prompt.family for answer in base], *columns)


def _apart(side: str, answers: Sequence[Answer]) -> dict[str, int]:
    """The names that are in no rate, by why."""
    counts = NameCounts.total(NameCounts.of_answer(answer) for answer in answers)
    return {
        f"{side}_unknown": counts.unknown,
        f"{side}_local": counts.local,
        f"{side}_unmapped": counts.unmapped,
        f"{side}_induced": counts.induced,
    }


def _judge(drop: float, low: float, high: float, min_drop: float) -> tuple[GateVerdict, str]:
    """The verdict, with why."""
    if drop >= min_drop and low > 0:
        return GateVerdict.PASS, f"at least {min_drop:.0%}"
    if high < min_drop:
        return GateVerdict.FAIL, f"surely less than {min_drop:.0%}"
    return (
        GateVerdict.INCONCLUSIVE,
        f"too wide to say whether it's {min_drop:.0%}: more prompts would",
    )
