"""The gate on volume: whether the candidate recommends what the base recommends, and no more.

A model that names nothing invents nothing, and one that names famous packages everywhere has a fine
rate, too. So a real name counts where the base supports it: where the base names it for that prompt
in another of its samples. Names in all, invented and unknown ones included, may not become more.
Both also hold in each context, so that one context can't hide behind another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ghostbust.gates.interface import MIN_FAMILIES, Look, Unpaired, inconclusive
from ghostbust.records import GateResult, GateVerdict
from ghostbust.side_by_side import SideBySide
from ghostbust.statistics import Interval, ratio_bounds, shown_with_chance

GATE = "volume"


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A figure of the candidate's as a multiple of the base's."""

    value: float
    bounds: Interval
    """one-sided each"""
    power: float
    """the chance that a candidate which answers as the base does stays within the limit"""
    is_least: bool
    """the limit is the least that it may be; else the most"""
    limit: float

    @property
    def shown(self) -> bool:
        return self.bounds[0] >= self.limit if self.is_least else self.bounds[1] <= self.limit

    @property
    def missed(self) -> bool:
        return self.bounds[1] < self.limit if self.is_least else self.bounds[0] > self.limit

    def __str__(self) -> str:
        low, high = self.bounds
        if self.missed:
            bound = f"at most {high:.2f}" if self.is_least else f"at least {low:.2f}"
        else:
            bound = f"at least {low:.2f}" if self.is_least else f"at most {high:.2f}"
        return f"{self.value:.2f} of the base's ({bound})"


def volume_gate(
    whole: SideBySide | Unpaired,
    *,
    low: float = 0.9,
    high: float = 1.1,
    context_low: float = 0.8,
    context_high: float = 1.25,
    look: Look | None = None,
) -> GateResult:
    """Compares supported real names per answer, and all names per answer, each once an answer.

    The ratios to the base have one-sided 1 - alpha bounds over prompt families, paired
    (`statistics.ratio_bounds`). PASS: the lower bound of supported names is at least ``low``, and
    ``context_low`` in each context; the upper bound of all names is at most ``high``, and
    ``context_high`` in each context. A context's limits are never narrower than those of all. FAIL:
    a bound shows the contrary of one of these. Else INCONCLUSIVE, as when the answers are unpaired,
    the base has fewer than two to a prompt, or supported names in fewer than ``MIN_FAMILIES``
    families. A context in which it has them in fewer decides nothing, and the reason says so;
    nothing passes for that before the last block of answers.
    """
    look = look or Look()
    context_low, context_high = min(low, context_low), max(high, context_high)
    condition = (
        f"{look.confidence} bounds: supported names >= {low:g} of the base's, {context_low:g} in"
        f" each context; all names <= {high:g}, {context_high:g}"
    )
    if isinstance(whole, Unpaired):
        return inconclusive(GATE, whole.reason, condition)
    if not whole.support:
        one = "the base has one answer to a prompt, so no name is supported: needs 2 or more"
        return inconclusive(GATE, one, condition)
    productive = _productive(whole)
    if productive < MIN_FAMILIES:
        few = f"the base has supported names in {productive} prompt families, needs {MIN_FAMILIES}"
        return inconclusive(GATE, few, condition)
    parts = {context: whole.only(context) for context in whole.contexts}
    judged = {c: part for c, part in parts.items() if _productive(part) >= MIN_FAMILIES}
    ratios = {
        "supported names": _least(whole, low, look.alpha),
        "all names": _most(whole, high, look.alpha),
    }
    for context, part in judged.items() if len(parts) > 1 else ():
        ratios[f"supported names in {context}"] = _least(part, context_low, look.alpha)
        ratios[f"all names in {context}"] = _most(part, context_high, look.alpha)
    skipped = [str(context) for context in parts if context not in judged]
    missed = [f"{name} {ratio}" for name, ratio in ratios.items() if ratio.missed]
    unclear = [f"{name} {ratio}" for name, ratio in ratios.items() if not ratio.shown]
    power = min(ratio.power for ratio in ratios.values())  # all of them have to be shown
    supported, everything = ratios["supported names"], ratios["all names"]
    if missed:
        verdict, why = GateVerdict.FAIL, f"surely too far from the base: {', '.join(missed)}"
    elif unclear or (skipped and look.block < look.blocks):
        verdict = GateVerdict.INCONCLUSIVE
        why = (
            f"not shown: {', '.join(unclear) or 'every context'}; more prompts would tell (one that"
            f" answers as the base does passes with a chance of {power:.2f} at most)"
        )
    else:
        verdict = GateVerdict.PASS
        why = (
            f"at most {max(0.0, 1 - supported.bounds[0]):.0%} fewer supported names, at most"
            f" {max(0.0, everything.bounds[1] - 1):.0%} more names in all"
        )
    if skipped:
        why += f"; too few supported names of the base to judge {' and '.join(skipped)}"
    answers, _ = whole.totals("answers")
    before, after = (side["supported"].sum() / answers for side in (whole.base, whole.candidate))
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"{before:.2f} -> {after:.2f} supported names per answer over {answers} answers, all"
            f" names {everything.value:.2f} of the base's: {why}"
        ),
        base=float(before),
        candidate=float(after),
        ci=supported.bounds,
        margin=condition,
        details={
            "ratio": supported.value,
            "all_ratio": everything.value,
            "answers": answers,
            "families": len(whole.families),
            "support": whole.support,
            "power": power,
            **{f"ratio_{c}": _value(part, "supported") for c, part in parts.items()},
            **{f"all_ratio_{c}": _value(part, "all") for c, part in parts.items()},
            **look.details,
        },
    )


def _productive(pair: SideBySide) -> int:
    """Families in which the base has a supported name."""
    return int((pair.base["supported"].sum(axis=1) > 0).sum())


def _value(pair: SideBySide, figure: str) -> float:
    after, before = (float(each.sum()) for each in pair.each_family(figure))
    return after / before if before else math.nan


def _least(pair: SideBySide, limit: float, alpha: float) -> _Ratio:
    after, before = pair.each_family("supported")  # (F,) each
    as_base = (1 - limit) * float(before.mean())
    power = shown_with_chance(after - limit * before, as_base, alpha)
    return _Ratio(_value(pair, "supported"), ratio_bounds(after, before, alpha), power, True, limit)


def _most(pair: SideBySide, limit: float, alpha: float) -> _Ratio:
    after, before = pair.each_family("all")  # (F,) each
    as_base = (limit - 1) * float(before.mean())
    power = shown_with_chance(limit * before - after, as_base, alpha)
    return _Ratio(_value(pair, "all"), ratio_bounds(after, before, alpha), power, False, limit)
