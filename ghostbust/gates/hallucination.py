"""The gate on the held-out hallucination rate: whether the candidate invents enough less."""

from __future__ import annotations

from collections.abc import Sequence

from ghostbust.gates.interface import aligned, inconclusive, unpaired
from ghostbust.measure import NameCounts
from ghostbust.records import Answer, GateResult, GateVerdict
from ghostbust.statistics import (
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

    drop = 1 - the candidate's rate / the base's, with a 95 % bootstrap interval over prompt
    families, both sides drawn together. PASS: drop >= ``min_drop`` and the interval lies above 0.
    FAIL: the whole interval lies below ``min_drop``. Else INCONCLUSIVE, as when base and candidate
    can't be paired, the base names fewer than ``min_refs`` names, invents none, or the candidate
    names nothing.

    Says nothing of how much is named: never promote without ``volume_gate``.
    """
    condition = f"relative drop of the rate >= {min_drop:g}, its 95 % interval above 0"
    unusable = unpaired(base, candidate)
    if unusable:
        return inconclusive(GATE, unusable, condition)
    counted = [
        [NameCounts.of_answer(answer) for answer in aligned(side)] for side in (base, candidate)
    ]
    families = [answer.sample.prompt.family for answer in aligned(base)]
    columns = [
        [float(count) for count in column]
        for side in counted
        for column in ([one.invented for one in side], [one.named for one in side])
    ]
    sums = cluster_sums(families, *columns)  # (C, 4), see relative_drop
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
    if drop >= min_drop and low > 0:
        verdict, why = GateVerdict.PASS, f"at least {min_drop:.0%}"
    elif high < min_drop:
        verdict, why = GateVerdict.FAIL, f"surely less than {min_drop:.0%}"
    else:
        verdict = GateVerdict.INCONCLUSIVE
        why = f"too wide to say whether it's {min_drop:.0%}: more prompts would"
    before, after = invented / named, invented_after / named_after
    in_no_rate: dict[str, float | int | str] = {}
    for name, side in zip(("base", "candidate"), counted, strict=True):
        total = NameCounts.total(side)
        for cause in ("unknown", "local", "unmapped", "induced"):
            in_no_rate[f"{name}_{cause}"] = getattr(total, cause)
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
            **in_no_rate,
            "seed": seed,
        },
    )
