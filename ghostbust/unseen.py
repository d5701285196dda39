"""What a sample missed: the chance that the next invention is a new name, and how many are left.

Inventions come in clusters: an answer names several, and answers to one task repeat each other. So
the unit is the prompt family, and "new" means that no other family has the name. All figures are of
a further family of the same kind, asked in the same way. Where a sample was steered towards prompts
that pay, they hold for more of the same steering only.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ghostbust.measure import wilson_interval
from ghostbust.quantiles import student_isf
from ghostbust.records import Answer

Interval = tuple[float, float]

PER_ANSWERS: Final = 1000
"""answers that `Unseen.gain` is of"""
_TAIL: Final = 0.025
"""of each side of a 95 % interval"""


@dataclass(frozen=True, slots=True)
class Incidence:
    """One invented name in the answers to one family's prompts."""

    name: str
    """with its ecosystem in front, where there are several"""
    family: str
    answers: int
    """answers that hold it, at least 1"""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Estimates of what a sample missed. NaN where it allows none."""

    families: int
    """prompt families that were asked"""
    answers: int
    inventions: int
    """invented names, distinct within each answer, summed over the answers"""
    names: int
    """distinct invented names"""
    once: int
    """those that one family alone has"""
    twice: int
    """those that exactly two families have"""
    chance: float
    """that the next invention, in an answer to a further family, is a name not seen yet"""
    chance_ci95: Interval
    left: float
    """at least so many further names there are; a lower bound wherever names differ in frequency"""
    left_ci95: Interval
    """of that bound, not of the number itself"""
    gain: float
    """new names that the next `PER_ANSWERS` answers would bring at the rate of the first of them"""
    gain_ci95: Interval

    def __str__(self) -> str:
        """The estimates in one line for people, no names among them."""
        if math.isnan(self.chance) or math.isnan(self.left):
            return "what is left can't be told: nothing was invented, or one family was asked"
        low, high = self.left_ci95
        return (
            f"at least about {self.left:,.0f} more names left ({low:,.0f} to {high:,.0f}), the next"
            f" invention is new with probability {self.chance:.2f} ({self.chance_ci95[0]:.2f} to"
            f" {self.chance_ci95[1]:.2f})"
        )


def unseen(incidences: Iterable[Incidence], *, families: int, answers: int) -> Unseen:
    """The estimates from all incidences in ``answers`` answers to ``families`` families.

    Incidences of one name and family are summed. Raises ValueError for more families than were
    asked.
    """
    by_name: dict[str, Counter[str]] = defaultdict(Counter)
    for one in incidences:
        by_name[one.name][one.family] += one.answers
    inventing = Counter[str]()
    for found in by_name.values():
        inventing.update(found)
    if len(inventing) > families:
        raise ValueError(f"inventions of {len(inventing)} families, but {families} were asked")
    spread = Counter(len(found) for found in by_name.values())
    chance, chance_ci95 = _chance(by_name, inventing)
    left, left_ci95 = _left(by_name, families)
    gain, gain_ci95 = _gain(by_name, families, answers)
    if left_ci95[0] < 1:  # it may be that no name is left
        left_ci95, gain_ci95 = (0.0, left_ci95[1]), (0.0, gain_ci95[1])
        chance_ci95 = (0.0 if by_name else math.nan, chance_ci95[1])
    return Unseen(
        families=families,
        answers=answers,
        inventions=inventing.total(),
        names=len(by_name),
        once=spread[1],
        twice=spread[2],
        chance=chance,
        chance_ci95=chance_ci95,
        left=left,
        left_ci95=left_ci95,
        gain=gain,
        gain_ci95=gain_ci95,
    )


def unseen_of(answers: Sequence[Answer]) -> Unseen:
    """The estimates from judged answers: ABSENT and SUSPECT names are inventions."""
    counts: Counter[tuple[str, str]] = Counter()
    for answer in answers:
        named = {
            f"{j.lookup.ecosystem}:{j.lookup.name}" for j in answer.judged if j.lookup.invented
        }
        counts.update((name, answer.sample.prompt.family) for name in named)
    return unseen(
        (Incidence(name, family, count) for (name, family), count in counts.items()),
        families=len({answer.sample.prompt.family for answer in answers}),
        answers=len(answers),
    )


def _chance(by_name: dict[str, Counter[str]], inventing: Counter[str]) -> tuple[float, Interval]:
    """The Good-Turing estimate by families, and its interval.

    The share of inventions whose name no other family has. With families as points of a Poisson
    process, numerator and truth have the same expectation (Good 1953, Biometrika 40, equation 9,
    has it for single draws), and the squared error of their difference is that of `_variance`.
    """
    total = inventing.total()
    if not total:
        return math.nan, (math.nan, math.nan)
    own = Counter[str]()
    for found in by_name.values():
        if len(found) == 1:
            own.update(found)
    chance = own.total() / total
    residuals = [own[family] - chance * count for family, count in inventing.items()]
    variance = _variance(residuals, by_name) / total**2
    return chance, _share_interval(chance, variance, len(inventing))


def _variance(residuals: Iterable[float], by_name: dict[str, Counter[str]]) -> float:
    """The expected squared error of a sum over families of the counts that they alone have.

    ``residuals`` are the families' own parts. Names that exactly two families have add twice the
    product of the two families' parts in them. Where each family names one thing it is the variance
    of Esty (1983), Annals of Statistics 11, 905-912, equation 2.5: f1 (1 - f1 / n) + 2 f2.
    """
    shared: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for found in by_name.values():
        if len(found) == 2:
            one, other = sorted(found)
            parts = shared[one, other]
            parts[0] += found[one]
            parts[1] += found[other]
    return sum(part**2 for part in residuals) + 2 * sum(a * b for a, b in shared.values())


def _share_interval(share: float, variance: float, clusters: int) -> Interval:
    """Wilson's interval for a share of that variance, widened by Student's t for few clusters.

    The number of independent draws is the one that would give the share this variance; where the
    variance is 0, each cluster counts as one draw. Source: Korn and Graubard (1998), Survey
    Methodology 24, 193-201, for the effective number of draws.
    """
    if clusters < 2:
        return 0.0, 1.0
    spread = share * (1 - share)
    draws = spread / variance if spread > 0 and variance > 0 else float(clusters)
    return wilson_interval(share, draws, z=_student(clusters - 1))


def _student(freedom: int) -> float:
    """The quantile of Student's t that leaves `_TAIL` above it."""
    return student_isf(_TAIL, freedom)


def _left(by_name: dict[str, Counter[str]], families: int) -> tuple[float, Interval]:
    """Chao2, bias-corrected, less the names seen, and its log-normal interval.

    (F - 1) / F * Q1 (Q1 - 1) / (2 (Q2 + 1)), Qk the names that k of F families have: Chao (1987),
    Biometrics 43, 783-791; corrected for bias as in Chao (2005), Encyclopedia of Statistical
    Sciences, equation 11. Its variance by leaving each family out (jackknife), as names of one
    family aren't independent; the interval as in Chao (1987), equation 12.
    """
    if families < 2:
        return math.nan, (math.nan, math.nan)

    def chao2(once: int, twice: int, families: int) -> float:
        return (families - 1) / families * once * (once - 1) / (2 * (twice + 1))

    spread = Counter(len(found) for found in by_name.values())
    once, twice = spread[1], spread[2]
    left = chao2(once, twice, families)
    changes: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for found in by_name.values():
        for family in found:
            if len(found) == 1:
                changes[family][0] -= 1
            elif len(found) == 2:
                changes[family][0] += 1
                changes[family][1] -= 1
            elif len(found) == 3:
                changes[family][1] += 1
    without = [chao2(once + a, twice + b, families - 1) for a, b in changes.values()]
    without += [chao2(once, twice, families - 1)] * (families - len(without))
    mean = sum(without) / families
    variance = (families - 1) / families * sum((one - mean) ** 2 for one in without)
    if left <= 0:  # at most one name is one family's alone; it may stand for a few others
        return 0.0, (0.0, 3.0 * max(1, once))
    factor = math.exp(1.96 * math.sqrt(math.log1p(variance / left**2)))
    return left, (left / factor, left * factor)


def _gain(by_name: dict[str, Counter[str]], families: int, answers: int) -> tuple[float, Interval]:
    """New names per `PER_ANSWERS` further answers: the names of one family alone, by answers.

    A further family of as many answers brings Q1 / F on average (Good 1953), so that many are
    expected while the first of them are asked; later ones bring fewer. The variance as for the
    chance, each name counted once in a family; its interval is log-normal.
    """
    if families < 2 or not answers:
        return math.nan, (math.nan, math.nan)
    own = Counter(family for found in by_name.values() if len(found) == 1 for family in found)
    once = own.total()
    scale = PER_ANSWERS / answers
    if not once:
        return 0.0, (0.0, 3 * scale)  # rule of three: none in so many families
    single = {name: Counter(dict.fromkeys(found, 1)) for name, found in by_name.items()}
    mean = once / families
    residuals = [own[family] - mean for family in own]
    residuals += [-mean] * (families - len(own))
    error = math.sqrt(_variance(residuals, single)) / once
    factor = math.exp(_student(families - 1) * error)
    return scale * once, (scale * once / factor, scale * once * factor)
