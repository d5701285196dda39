"""The gate on faults: whether the candidate's answers are as often whole answers as the base's.

A model that opens a fence and ends, or writes an install command without a package, invents
nothing. Where other contexts name a little more, the volume doesn't show it.
"""

from __future__ import annotations

from ghostbust.gates.interface import Look, Unpaired, inconclusive
from ghostbust.records import GateResult, GateVerdict
from ghostbust.side_by_side import SideBySide
from ghostbust.statistics import mean_bounds, shown_with_chance

GATE = "faults"


def faults_gate(
    pair: SideBySide | Unpaired, *, margin: float = 0.1, look: Look | None = None
) -> GateResult:
    """Compares the share of answers with a fault of any kind (``answer_faults.FAULTS``).

    rise = the candidate's share - the base's, with one-sided 1 - alpha bounds over prompt families.
    PASS: the upper bound is at most ``margin``. FAIL: the lower bound is above it, of all contexts
    or of one. Else INCONCLUSIVE, as when the answers are unpaired.
    """
    look = look or Look()
    condition = f"upper {look.confidence} bound of the rise of answers with a fault <= {margin:g}"
    if isinstance(pair, Unpaired):
        return inconclusive(GATE, pair.reason, condition)
    rises = pair.share_rises("faulty", "answers")  # (F,)
    contexts = {c: pair.only(c).share_rises("faulty", "answers") for c in pair.contexts}
    low, high = mean_bounds(rises, look.alpha)
    worse = [str(c) for c, its in contexts.items() if mean_bounds(its, look.alpha)[0] > margin]
    power = shown_with_chance(rises, margin, look.alpha)
    if low > margin or worse:
        verdict = GateVerdict.FAIL
        why = f"surely more than {margin:g}{' in ' if worse else ''}{' and '.join(worse)}"
    elif high <= margin:
        verdict, why = GateVerdict.PASS, f"at most {max(0.0, high):.1%} more"
    else:
        verdict = GateVerdict.INCONCLUSIVE
        why = (
            f"not surely within the margin of {margin:g}: more prompts would tell (one that answers"
            f" as the base does passes with a chance of {power:.2f})"
        )
    answers, _ = pair.totals("answers")
    before, after = (side["faulty"].sum() / answers for side in (pair.base, pair.candidate))
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=(
            f"{before:.3f} -> {after:.3f} of {answers} answers have a fault: a rise of"
            f" {after - before:+.3f}, {why}"
        ),
        base=float(before),
        candidate=float(after),
        ci=(low, high),
        margin=condition,
        details={
            "rise": float(after - before),
            "answers": answers,
            "power": power,
            **{f"rise_{context}": float(its.mean()) for context, its in contexts.items()},
            **look.details,
        },
    )
