"""Tests and intervals for paired counts and for clusters, and estimates of what a sample missed.

Pure functions of numbers. Random ones take a seed and return the same numbers for the same seed. A
pair is one task, done once by the base and once by the candidate: *lost* counts pairs that only the
base solved, *gained* those that only the candidate solved.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import beta, binom, norm
from scipy.stats import t as student_t

from ghostbust.records import Answer

RESAMPLES = 4000
"""bootstrap resamples: a bound then varies by some 2 % of the interval's width between seeds"""
LEAST_TAIL = 10 / RESAMPLES
"""smallest tail that so many resamples can show: ten of them lie beyond it"""

Floats = NDArray[np.float64]
Interval = tuple[float, float]


def mcnemar_one_sided(lost: int, gained: int) -> float:
    """The exact one-sided p-value of McNemar's test, in (0, 1], against "no loss".

    The chance of at least ``lost`` losses among the discordant pairs if losing and gaining were
    equally likely: P(X >= lost), X ~ Binomial(lost + gained, 1/2). 1.0 where no pair is discordant.
    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    _check_counts(lost, gained, lost + gained)
    return float(binom.sf(lost - 1, lost + gained, 0.5))


def fewer_p_value(count: int, other: int, share: float) -> float:
    """The exact one-sided p-value, in [0, 1], against "the rate of ``count`` is at least ``share``
    times that of ``other``".

    Two Poisson counts given their sum: P(X <= count), X ~ Binomial(count + other, share /
    (1 + share)). Source: Przyborowski and Wilenski (1940), Biometrika 31, 313-323.
    """
    if count < 0 or other < 0 or not share >= 0:
        raise ValueError(f"{count} and {other} aren't counts, or {share} is no share")
    return float(binom.cdf(count, count + other, share / (1 + share)))


def fewer_bound(count: float, other: float, alpha: float) -> float:
    """The upper 1 - ``alpha`` bound of the ratio of two Poisson means, ``count``'s to ``other``'s.

    Of their binomial share given the sum (Clopper and Pearson 1934, Biometrika 26, 404-413), as in
    ``fewer_p_value``. Counts that come in clusters are to be divided by how much more they vary
    than Poisson's. Infinity where ``other`` is 0.
    """
    if other <= 0:
        return math.inf
    share = float(beta.isf(alpha, count + 1, other))
    return share / (1 - share)


def mcnemar_two_sided(lost: int, gained: int) -> float:
    """The exact two-sided p-value of McNemar's test, in (0, 1], against "no change".

    Twice the smaller one-sided p-value, at most 1. Source: as for ``mcnemar_one_sided``.
    """
    return min(1.0, 2 * mcnemar_one_sided(max(lost, gained), min(lost, gained)))


def tango_upper_bound(lost: int, gained: int, pairs: int, *, alpha: float = 0.05) -> float:
    """The upper score bound of the loss (lost - gained) / pairs, at confidence 1 - ``alpha``.

    One-sided: the loss at which Tango's score statistic equals the lower ``alpha`` quantile of the
    normal distribution. Exists for any counts, also for no discordant pair at all, where it is
    z² / (pairs + z²). In (-1, 1]. Raises ValueError for impossible counts. Source: Tango (1998),
    Statistics in Medicine 17, 891-908.
    """
    _check_counts(lost, gained, pairs)
    z = float(norm.isf(alpha))
    observed = (lost - gained) / pairs
    if observed == 1:
        return 1.0

    def above_quantile(loss: float) -> float:
        return _tango_statistic(loss, lost, gained, pairs) + z

    # At the observed loss the statistic is 0; towards 1 it falls without bound.
    return float(brentq(above_quantile, observed, 1.0 - 1e-12, xtol=1e-12))


def _tango_statistic(loss: float, lost: int, gained: int, pairs: int) -> float:
    """Tango's score statistic for the null hypothesis that the true loss is ``loss``."""
    if loss == (lost - gained) / pairs:
        return 0.0  # also where its variance is 0: no discordant pair, or all of them gained
    # The most likely chance of a gain under the hypothesis: the larger root of
    # 2·pairs·q² + b·q - gained·loss·(1 - loss) = 0.
    b = (2 * pairs - lost + gained) * loss - lost - gained
    discriminant = b * b + 8 * pairs * gained * loss * (1 - loss)
    gain = (math.sqrt(max(discriminant, 0.0)) - b) / (4 * pairs)
    variance = pairs * (2 * gain + loss * (1 - loss))
    # Above 0 in exact arithmetic for a loss between the observed one and 1.
    return (lost - gained - pairs * loss) / math.sqrt(max(variance, sys.float_info.min))


def mcnemar_power(pairs: int, *, p_lost: float, p_gained: float, alpha: float = 0.05) -> float:
    """The chance that the exact one-sided McNemar test finds a true loss, in [0, 1].

    ``p_lost`` and ``p_gained`` are a pair's chances of being lost and gained, so the true loss is
    their difference. Summed exactly, not simulated: over the number of discordant pairs m, which is
    Binomial(pairs, p_lost + p_gained), and for each m over the losses that reach significance,
    Binomial(m, p_lost / (p_lost + p_gained)).
    """
    if not (0 < p_lost + p_gained <= 1 and min(p_lost, p_gained) >= 0):
        raise ValueError("p_lost and p_gained must be chances that sum to at most 1, not both 0")
    discordant = np.arange(pairs + 1)
    weight = binom.pmf(discordant, pairs, p_lost + p_gained)
    # The smallest count with P(X >= count) <= alpha, X ~ Binomial(m, 1/2); m + 1 if there is none.
    critical = binom.isf(alpha, discordant, 0.5) + 1
    reached = binom.sf(critical - 1, discordant, p_lost / (p_lost + p_gained))
    return float(np.sum(weight * reached))


def power_at_margin(pairs: int, discordant: int, *, margin: float, alpha: float = 0.05) -> float:
    """``mcnemar_power`` for a true loss of ``margin`` with the observed share of discordant pairs.

    The share is split so that lost - gained = ``margin``; where it is smaller than ``margin``, all
    of ``margin`` is lost and nothing gained.
    """
    churn = max(discordant / pairs, margin)
    return mcnemar_power(
        pairs, p_lost=(churn + margin) / 2, p_gained=(churn - margin) / 2, alpha=alpha
    )


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k from ``c`` right ones of ``n`` samples, in [0, 1].

    1 - C(n - c, k) / C(n, k): the chance that k of the n samples, drawn without replacement, hold a
    right one. Raises ValueError for n < k, where the bare formula would say 1.0, and for impossible
    counts. Source: Chen et al. (2021), arXiv 2107.03374, equation 1.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs at least {k} samples and k >= 1; there are {n}")
    if not 0 <= c <= n:
        raise ValueError(f"{c} right samples of {n} can't be")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def resampled_sums(rows: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Column sums of ``rows`` (clusters, K), resampled with replacement: (resamples, K).

    The cluster bootstrap: whole rows are drawn, as many as there are, so what varies together
    inside a cluster stays together. Source: Davison and Hinkley (1997), Bootstrap Methods and their
    Application, section 3.8.
    """
    clusters = rows.shape[0]
    times_drawn = np.random.default_rng(seed).multinomial(
        clusters, np.full(clusters, 1 / clusters), size=resamples
    )
    return np.asarray(times_drawn @ rows, dtype=np.float64)  # (R, C) @ (C, K)


def percentile_interval(values: Floats, level: float) -> Interval:
    """The central interval that holds at least ``level`` of ``values``, as (low, high).

    Both ends are values that occur, the outer one where two qualify; some may be infinite.
    """
    tail = (1 - level) / 2
    low = np.quantile(values, tail, method="lower")
    high = np.quantile(values, 1 - tail, method="higher")
    return float(low), float(high)


def paired_bootstrap(
    base: Sequence[float],
    candidate: Sequence[float],
    tasks: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Interval:
    """The bootstrap interval of mean(candidate) - mean(base), drawn by task.

    Entry i of both belongs to ``tasks[i]``; entries of one task are drawn together. ``level`` is
    central, so 0.90 gives two one-sided 95 % bounds. Its tails may be smaller than resamples can
    show (``widened_interval``). Raises ValueError for unequal lengths or no entry.
    """
    rows = cluster_sums(tasks, base, candidate, [1.0] * len(tasks))
    sums = resampled_sums(rows, seed=seed)
    before, after, entries = rows.sum(axis=0).tolist()
    differences = (sums[:, 1] - sums[:, 0]) / sums[:, 2]
    return widened_interval(differences, (after - before) / entries, level)


def ratio_bootstrap(
    numerator: Sequence[float],
    denominator: Sequence[float],
    families: Sequence[str],
    *,
    level: float,
    seed: int,
) -> Interval:
    """The bootstrap interval of mean(numerator) / mean(denominator), drawn by family.

    Entry i of both belongs to ``families[i]``. A resample whose denominator is 0 counts as
    infinity, which can only widen the interval. Raises ValueError for unequal lengths or no entry.
    """
    rows = cluster_sums(families, numerator, denominator)
    sums = resampled_sums(rows, seed=seed)
    ratios = np.full(len(sums), math.inf)
    np.divide(sums[:, 0], sums[:, 1], out=ratios, where=sums[:, 1] > 0)
    above, below = rows.sum(axis=0).tolist()
    return widened_interval(ratios, above / below if below else math.inf, level)


def widened_interval(values: Floats, observed: float, level: float) -> Interval:
    """``percentile_interval``, also for levels beyond what so many ``values`` can show.

    Where a tail is smaller than ``LEAST_TAIL``, the interval of that tail is widened on either side
    of the ``observed`` value, in proportion to the normal distribution's quantiles. So it keeps the
    skewness of the resamples, and beyond them it assumes a normal tail.
    """
    tail = (1 - level) / 2
    if tail >= LEAST_TAIL or not math.isfinite(observed):
        return percentile_interval(values, level)
    low, high = percentile_interval(values, 1 - 2 * LEAST_TAIL)
    factor = float(norm.isf(tail) / norm.isf(LEAST_TAIL))
    return observed - factor * (observed - low), observed + factor * (high - observed)


def ratio_bounds(numerator: Floats, denominator: Floats, alpha: float) -> Interval:
    """The lower and the upper one-sided 1 - ``alpha`` bound of mean(numerator) / mean(denominator).

    Both are (clusters,), entry i of both of the same cluster; the mean of ``denominator`` is not
    negative. Fieller's bounds by Student's t: the ratios r at which the mean of numerator - r ·
    denominator is as far from 0 as t allows. Exact for normal means. A cluster in which the
    numerator is 0 throughout still counts, so a figure that was never seen has an upper bound.
    Without bounds, (-inf, inf), where fewer than two clusters say anything or the denominator
    itself may be 0. Source: Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
    """
    clusters = len(denominator)
    if clusters < 2:
        return -math.inf, math.inf
    t2 = float(student_t.isf(alpha, clusters - 1)) ** 2
    above, below = float(numerator.mean()), float(denominator.mean())
    (v_above, v_both), (_, v_below) = (np.cov(numerator, denominator) * t2 / clusters).tolist()
    a, b, c = below**2 - v_below, above * below - v_both, above**2 - v_above
    if a <= 0:
        return -math.inf, math.inf
    half = math.sqrt(max(b * b - a * c, 0.0))
    return (b - half) / a, (b + half) / a


def mean_bounds(values: Floats, alpha: float) -> Interval:
    """The lower and the upper one-sided 1 - ``alpha`` bound of a mean, by Student's t.

    ``values`` are (clusters,); fewer than two give no bounds, (-inf, inf).
    """
    if len(values) < 2:
        return -math.inf, math.inf
    half = float(student_t.isf(alpha, len(values) - 1) * values.std(ddof=1)) / math.sqrt(
        len(values)
    )
    return float(values.mean()) - half, float(values.mean()) + half


def shown_with_chance(values: Floats, truth: float, alpha: float) -> float:
    """The chance, in [0, 1], that the lower bound of a mean lies above 0 where it is ``truth``.

    With the spread of ``values`` (clusters,): the power of a one-sided test, by the normal
    approximation of Student's t.
    """
    if len(values) < 2:
        return 0.0
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    if error == 0:
        return 1.0 if truth > 0 else 0.0
    return float(norm.cdf(truth / error - student_t.isf(alpha, len(values) - 1)))


@cache
def block_alpha(alpha: float, block: int, blocks: int) -> float:
    """The error probability of the test after ``block`` of ``blocks`` equal blocks of answers.

    O'Brien and Fleming's boundaries: early tests need far clearer figures, so that all of them
    together err with ``alpha`` at most. After k blocks of independent and equal information the
    sum of k standard normal steps is compared with one bound for all k; the bound is where a random
    walk of ``blocks`` steps ever reaches it with a chance of ``alpha``. The last test keeps most
    of alpha. Source: O'Brien and Fleming (1979), Biometrics 35, 549-556.
    """
    if not (0 < alpha < 0.5 and 1 <= block <= blocks):
        raise ValueError(f"block {block} of {blocks} at alpha {alpha} can't be")

    def excess(bound: float) -> float:
        return _reached(bound, blocks) - alpha

    if blocks == 1:
        return alpha
    least = float(norm.isf(alpha)) * math.sqrt(blocks)  # that of the last test alone
    bound = float(brentq(excess, least, 2 * least + 1, xtol=1e-9))
    return float(norm.sf(bound / math.sqrt(block)))


def _reached(bound: float, steps: int) -> float:
    """The chance that a walk of standard normal steps is ever at ``bound`` or above.

    By integrating the density of the walks that have stayed below, on a grid.
    """
    width = 0.05
    grid = np.arange(bound - width / 2, -7 * math.sqrt(steps), -width)  # (G,), middles of cells
    step = norm.pdf(grid[:, None] - grid) * width  # (G, G)
    density = norm.pdf(grid)
    for _ in range(steps - 1):
        density = step @ density
    return 1.0 - float(density.sum() * width)


def relative_drop(sums: Floats) -> Floats:
    """1 - the candidate's rate / the base's, per row: (R, 4) -> (R,).

    The columns are invented and all names of the base, then of the candidate. Where the drop isn't
    defined, it counts against the candidate: 0 where either side names nothing or neither invents,
    -1 where only the candidate invents.
    """
    invented, named, invented_after, named_after = sums.T  # (R,) each
    drop = np.where((invented == 0) & (invented_after > 0), -1.0, 0.0)
    known = (invented > 0) & (named_after > 0)
    ratio = invented_after[known] * named[known] / (invented[known] * named_after[known])
    drop[known] = 1 - ratio
    return drop


def cluster_sums(clusters: Sequence[str], *columns: Sequence[float]) -> Floats:
    """The sum of each column over each cluster: (clusters, columns), clusters sorted by name.

    Raises ValueError for columns of another length than ``clusters``, or no entry.
    """
    if not clusters or any(len(column) != len(clusters) for column in columns):
        raise ValueError("needs at least one entry, and as many in every column")
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), len(columns)))  # (C, K)
    np.add.at(sums, place, np.column_stack(columns))
    return sums


def _check_counts(lost: int, gained: int, pairs: int) -> None:
    if min(lost, gained) < 0 or lost + gained > pairs:
        raise ValueError(f"{lost} lost and {gained} gained of {pairs} pairs can't be")


# What a sample missed: the chance that the next invention is a new name, and how many are left.
#
# Inventions come in clusters: an answer names several, and answers to one task repeat each other.
# So the unit is the prompt family, and "new" means that no other family has the name. All figures
# are of a further family of the same kind, asked in the same way. Where a sample was steered
# towards prompts that pay, they hold for more of the same steering only.

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


def wilson_interval(share: float, draws: float, *, z: float = 1.96) -> Interval:
    """The score interval of a share seen in so many independent draws; 95 % by default.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    middle = share + z**2 / (2 * draws)
    half = z * math.sqrt(share * (1 - share) / draws + (z / (2 * draws)) ** 2)
    scale = 1 + z**2 / draws
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def _student(freedom: int) -> float:
    """The quantile of Student's t that leaves `_TAIL` above it."""
    return float(student_t.isf(_TAIL, freedom))


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
