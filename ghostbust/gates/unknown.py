"""The gate on names that nobody can judge: whether inventions only moved out of sight.

A rate counts what a registry has or hasn't. A model that writes imports which no table ties to a
distribution, or real names that have nothing to do with the prompt, lowers it too.
"""

from __future__ import annotations

from ghostbust.gates.interface import Look, Unpaired, inconclusive
from ghostbust.records import GateResult, GateVerdict
from ghostbust.side_by_side import SideBySide
from ghostbust.statistics import mean_bounds, shown_with_chance

GATE = "unknown"
_SHARES = {"unknown": ("unknown", "all"), "unsupported": ("unsupported", "real")}
"""what is compared: a part, and the whole that it is a share of"""


def unknown_gate(
    pair: SideBySide | Unpaired, *, margin: float = 0.1, look: Look | None = None
) -> GateResult:
    """Compares the share of unknown names of all, and of unsupported names of the real ones.

    rise = the candidate's share - the base's, with one-sided 1 - alpha bounds over prompt families.
    PASS: both upper bounds are at most ``margin``. FAIL: a lower bound is above it. Else
    INCONCLUSIVE, as when the answers are unpaired.
    """
    look = look or Look()
    condition = f"upper {look.confidence} bounds of the rise of both shares <= {margin:g}"
    if isinstance(pair, Unpaired):
        return inconclusive(GATE, pair.reason, condition)
    said: list[str] = []
    details: dict[str, float | int | str] = {"answers": pair.totals("answers")[0]}
    bounds, powers = {}, {}
    for name, (part, whole) in _SHARES.items():
        rises = pair.share_rises(part, whole)  # (F,)
        bounds[name] = mean_bounds(rises, look.alpha)
        powers[name] = shown_with_chance(rises, margin, look.alpha)
        for side, sums in (("base", pair.base), ("candidate", pair.candidate)):
            details[f"{side}_{name}"] = float(sums[part].sum() / (sums[whole].sum() or 1.0))
        said.append(
            f"{name} names {details[f'base_{name}']:.3f} -> {details[f'candidate_{name}']:.3f}"
            f" (a rise of at most {bounds[name][1]:+.3f})"
        )
    risen = [name for name, (low, _) in bounds.items() if low > margin]
    power = min(powers.values())  # both have to be shown
    if risen:
        verdict, why = GateVerdict.FAIL, f"surely more than {margin:g} for {' and '.join(risen)}"
    elif all(high <= margin for _, high in bounds.values()):
        verdict, why = GateVerdict.PASS, f"within the margin of {margin:g}"
    else:
        verdict = GateVerdict.INCONCLUSIVE
        why = (
            f"not surely within the margin of {margin:g}: more prompts would tell (one that answers"
            f" as the base does passes with a chance of {power:.2f} at most)"
        )
    return GateResult(
        gate=GATE,
        verdict=verdict,
        reason=f"{', '.join(said)}: {why}",
        base=float(details["base_unknown"]),
        candidate=float(details["candidate_unknown"]),
        ci=bounds["unknown"],
        margin=condition,
        details=details | {"power": power} | look.details,
    )
