"""The gate on the held-out hallucination rate: whether the candidate surely invents enough less."""

from __future__ import annotations

from ghostbust.gates.interface import MIN_FAMILIES, Look, Unpaired, inconclusive
from ghostbust.records import GateResult, GateVerdict
from ghostbust.side_by_side import SideBySide
from ghostbust.statistics import (
    fewer_bound,
    ratio_bounds,
    shown_with_chance,
    spreading_clusters,
)

GATE = "hallucination"


def rate_gate(
    pair: SideBySide | Unpaired,
    *,
    min_drop: float = 0.5,
    min_refs: int = 50,
    look: Look | None = None,
) -> GateResult:
    """Compares the rate invented / (invented + real) on held-out prompts.

    drop = 1 - the candidate's rate / the base's, both with the base's weights over the contexts
    (`SideBySide.rates`), with one-sided 1 - alpha bounds over prompt families. PASS: the lower
    bound is at least ``min_drop``. FAIL: the upper bound is below it. Else INCONCLUSIVE, as when
    the answers are unpaired, the base names fewer than ``min_refs`` names, or the candidate names
    nothing.

    Says nothing of how much is named: never promote without ``volume_gate``.
    """
    look = look or Look()
    condition = f"lower {look.confidence} bound of the rate's relative drop >= {min_drop:g}"
    if isinstance(pair, Unpaired):
        return inconclusive(GATE, pair.reason, condition)
    (invented, invented_after), (named, named_after) = pair.totals("invented"), pair.totals("named")
    if named < min_refs:
        few = f"too few names: the base names {named}, needs {min_refs}"
        return inconclusive(GATE, few, condition)
    if not invented or not named_after:
        nothing = "the base invents nothing" if named_after else "the candidate names nothing"
        return inconclusive(GATE, f"{nothing}, so the rate can't be compared", condition)
    rates, base_rates = pair.rates()
    rate, base_rate = float(rates.mean()), float(base_rates.mean())
    left = (1 - min_drop) * base_rates - rates  # (F,), above 0 in the mean where it passes
    # By all families' degrees of freedom it erred too often: a few with many names make the spread.
    degrees = max(1.0, spreading_clusters(left) - 1)
    least_ratio, most_ratio = ratio_bounds(rates, base_rates, look.alpha, degrees)
    inventing = pair.candidate["invented"].sum(axis=1) > 0  # (F,)
    if inventing.sum() < MIN_FAMILIES:
        # So few can't show their own spread. The counts alone say this much, each worth less by as
        # much as the base's come in clusters.
        each = pair.base["invented"].sum(axis=1)
        clustered = max(1.0, float(each.var(ddof=1) / each.mean()))
        fewer = fewer_bound(invented_after / clustered, invented / clustered, look.alpha)
        most_ratio = max(most_ratio, fewer * named / named_after)
    low, high = 1 - most_ratio, 1 - max(0.0, least_ratio)
    middle = (1 + min_drop) / 2
    power = shown_with_chance(left, (middle - min_drop) * base_rate, look.alpha)
    if low >= min_drop:
        verdict, why = GateVerdict.PASS, f"at least {low:.0%} fewer"
    elif high < min_drop:
        verdict, why = GateVerdict.FAIL, f"at most {high:.0%} fewer"
    else:
        verdict = GateVerdict.INCONCLUSIVE
        why = (
            f"{low:.0%} to {high:.0%}: more prompts would tell (a true drop of {middle:.0%} shows"
            f" with a chance of {power:.2f})"
        )
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"rate {base_rate:.4f} ({invented} of {named}) -> {rate:.4f}"
            f" ({invented_after} of {named_after}): a drop of {1 - rate / base_rate:.1%}, {why}"
        ),
        base=base_rate,
        candidate=rate,
        ci=(low, high),
        margin=condition,
        details={
            "drop": 1 - rate / base_rate,
            "answers": pair.totals("answers")[0],
            "base_inventing": pair.totals("inventing")[0],
            "candidate_inventing": pair.totals("inventing")[1],
            "power": power,
            **{
                f"{name}_{cause}": pair.totals(cause)[side]
                for side, name in enumerate(("base", "candidate"))
                for cause in ("unknown", "local", "unmapped", "induced", "installers")
            },
            **look.details,
        },
    )
