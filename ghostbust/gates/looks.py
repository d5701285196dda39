"""How wrong one look may be, where a model's rounds are repeated looks at the same base.

A gate that errs with probability α at each of many rounds errs sooner or later. Spending
shares one α out over all of them: look k gets α·6 / (π²·k²), whose sum over every k is α.
The sum bounds the chance that any look ever errs, however many there will be and however
they depend on each other (Bonferroni's inequality).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison with the base, among those that came before and will come."""

    total: float = 0.05
    """error probability: of all looks together if they share it, else of each"""
    number: int = 1
    """which look at this base it is, from 1"""
    spends: bool = False
    """the looks share ``total``"""

    def __post_init__(self) -> None:
        if not (0 < self.total < 0.5 and self.number >= 1):
            raise ValueError("a look needs an error probability below 0.5 and a number from 1")

    @property
    def alpha(self) -> float:
        """The error probability of this look's tests and one-sided bounds."""
        return spent_alpha(self.total, self.number) if self.spends else self.total

    @property
    def confidence(self) -> str:
        """1 - alpha in percent, with as many digits as tell it from 100."""
        digits = max(0, 1 - math.floor(math.log10(100 * self.alpha)))
        text = f"{100 - 100 * self.alpha:.{digits}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"

    @property
    def details(self) -> dict[str, float | int | str]:
        """What a gate's result says of it."""
        shared = {"alpha_total": self.total} if self.spends else {}
        spending = "rounds" if self.spends else "none"
        return {"alpha": self.alpha, **shared, "look": self.number, "spend": spending}


def spent_alpha(total: float, look: int) -> float:
    """The part of ``total`` that the ``look``-th look gets: total·6 / (π²·look²).

    They sum to ``total`` over all looks without end: Σ 1/k² = π²/6.
    """
    return total * 6 / (math.pi * look) ** 2
