"""What pays: a bandit over domain, operator and form, by invented names for the tokens spent.

The yield of a prompt is taken for a product: what is found on average, times a factor for its
domain, one for its operator and one for its form. So a few samples say something of all prompts
that share one of the three. Each factor has a gamma posterior around 1, and a choice draws from
it (Thompson sampling): what is uncertain is tried, what surely pays little is not.

Names come in lists, so counts vary more than a Poisson's; evidence is divided by how much more.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from scipy.stats import gamma

PRIOR: Final = 3.0
"""names that the belief in a factor of 1 weighs as much as"""
PASSES: Final = 8
"""turns in which the factors are fitted to each other"""
SURE: Final = 0.95
"""probability with which an operator that is dropped pays less than `LEAST_FACTOR`"""
LEAST_FACTOR: Final = 0.5
DOMAIN, OPERATOR, FORM = range(3)
"""the parts of an arm"""


class Arm(NamedTuple):
    """What a prompt is known by."""

    domain: str
    operator: str
    form: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an arm brought."""

    reward: float
    """invented names, weighed"""
    cost: float
    """thousand tokens, weighed"""


class Bandit:
    """The fitted factors, and draws from what is believed of them."""

    def __init__(self, evidence: Mapping[Arm, Evidence], *, dispersion: float = 1.0) -> None:
        self._parts: list[dict[str, Evidence]] = [{}, {}, {}]
        """of each dimension, a level's reward and the reward that the other factors expect"""
        reward = sum(one.reward for one in evidence.values())
        cost = sum(one.cost for one in evidence.values())
        self.mean = (reward + 1) / (cost + 1)
        """reward for a thousand tokens, over all"""
        self._fit(evidence, max(dispersion, 1.0))

    def factor(self, part: int, level: str) -> float:
        """The expected factor of a level of DOMAIN, OPERATOR or FORM."""
        known = self._parts[part].get(level, Evidence(0, 0))
        return (PRIOR + known.reward) / (PRIOR + known.cost)

    def draw(self, part: int, levels: Iterable[str], rng: random.Random) -> dict[str, float]:
        """A factor for each level, drawn from what is believed of it."""
        drawn = {}
        for level in levels:
            known = self._parts[part].get(level, Evidence(0, 0))
            drawn[level] = rng.gammavariate(PRIOR + known.reward, 1 / (PRIOR + known.cost))
        return drawn

    def dropped(self, operators: Iterable[str]) -> list[str]:
        """Those that surely don't pay: less than half of what others would in their place."""
        found = []
        for operator in operators:
            known = self._parts[OPERATOR].get(operator, Evidence(0, 0))
            most = gamma.ppf(SURE, PRIOR + known.reward, scale=1 / (PRIOR + known.cost))
            if most < LEAST_FACTOR:
                found.append(operator)
        return found

    def _fit(self, evidence: Mapping[Arm, Evidence], dispersion: float) -> None:
        for _ in range(PASSES):
            for part in range(3):
                rewards: dict[str, float] = {}
                expected: dict[str, float] = {}
                for arm, one in evidence.items():
                    others = (self.factor(p, arm[p]) for p in range(3) if p != part)
                    here = self.mean * one.cost
                    for other in others:
                        here *= other
                    level = arm[part]
                    rewards[level] = rewards.get(level, 0) + one.reward / dispersion
                    expected[level] = expected.get(level, 0) + here / dispersion
                self._parts[part] = {
                    level: Evidence(rewards[level], expected[level]) for level in rewards
                }


def dispersion(rewards: Sequence[float], expected: Sequence[float]) -> float:
    """How much more the samples' rewards vary than a Poisson's: Pearson's statistic, 1 or more."""
    if len(rewards) < 2:
        return 1.0
    total = sum(
        (found - mean) ** 2 / mean
        for found, mean in zip(rewards, expected, strict=True)
        if mean > 0
    )
    return max(1.0, total / (len(rewards) - 1))
