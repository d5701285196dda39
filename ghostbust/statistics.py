"""Tests, bounds and intervals for paired counts and for clusters.

Pure functions of numbers. Random ones take a seed and return the same numbers for the same seed. A
pair is one task, done once by the base and once by the candidate: *lost* counts pairs that only the
base solved, *gained* those that only the candidate solved.

numpy and scipy belong to the extra ``local``: they are imported where they are needed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 4000
"""bootstrap resamples: a bound then varies by some 2 % of the interval's width between seeds"""
LEAST_TAIL = 10 / RESAMPLES
"""smallest tail that so many resamples can show: ten of them lie beyond it"""

Floats: TypeAlias = "NDArray[np.float64]"
Interval = tuple[float, float]


def mcnemar_one_sided(lost: int, gained: int) -> float:
    """The exact one-sided p-value of McNemar's test, in (0, 1], against "no loss".

    The chance of at least ``lost`` losses among the discordant pairs if losing and gaining were
    equally likely: P(X >= lost), X ~ Binomial(lost + gained, 1/2). 1.0 where no pair is discordant.
    Source: McNemar (1947), Psychometrika 12, 153-157.
    """
    from scipy.stats import binom

    _check_counts(lost, gained, lost + gained)
    return float(binom.sf(lost - 1, lost + gained, 0.5))


def fewer_p_value(count: int, other: int, share: float) -> float:
    """The exact one-sided p-value, in [0, 1], against "the rate of ``count`` is at least ``share``
    times that of ``other``".

    Two Poisson counts given their sum: P(X <= count), X ~ Binomial(count + other, share /
    (1 + share)). Source: Przyborowski and Wilenski (1940), Biometrika 31, 313-323.
    """
    from scipy.stats import binom

    if count < 0 or other < 0 or not share >= 0:
        raise ValueError(f"{count} and {other} aren't counts, or {share} is no share")
    return float(binom.cdf(count, count + other, share / (1 + share)))


def fewer_bound(count: float, other: float, alpha: float) -> float:
    """The upper 1 - ``alpha`` bound of the ratio of two Poisson means, ``count``'s to ``other``'s.

    Of their binomial share given the sum (Clopper and Pearson 1934, Biometrika 26, 404-413), as in
    ``fewer_p_value``. Counts that come in clusters are to be divided by how much more they vary
    than Poisson's. Infinity where ``other`` is 0.
    """
    from scipy.stats import beta

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
    from scipy.optimize import brentq
    from scipy.stats import norm

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
    import numpy as np
    from scipy.stats import binom

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


def resampled_sums(rows: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Column sums of ``rows`` (clusters, K), resampled with replacement: (resamples, K).

    The cluster bootstrap: whole rows are drawn, as many as there are, so what varies together
    inside a cluster stays together. Source: Davison and Hinkley (1997), Bootstrap Methods and their
    Application, section 3.8.
    """

    import numpy as np

    clusters = rows.shape[0]
    times_drawn = np.random.default_rng(seed).multinomial(
        clusters, np.full(clusters, 1 / clusters), size=resamples
    )
    return np.asarray(times_drawn @ rows, dtype=np.float64)  # (R, C) @ (C, K)


def percentile_interval(values: Floats, level: float) -> Interval:
    """The central interval that holds at least ``level`` of ``values``, as (low, high).

    Both ends are values that occur, the outer one where two qualify; some may be infinite.
    """

    import numpy as np

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

    import numpy as np

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
    from scipy.stats import norm

    tail = (1 - level) / 2
    if tail >= LEAST_TAIL or not math.isfinite(observed):
        return percentile_interval(values, level)
    low, high = percentile_interval(values, 1 - 2 * LEAST_TAIL)
    factor = float(norm.isf(tail) / norm.isf(LEAST_TAIL))
    return observed - factor * (observed - low), observed + factor * (high - observed)


def ratio_bounds(
    numerator: Floats, denominator: Floats, alpha: float, degrees: float | None = None
) -> Interval:
    """The lower and the upper one-sided 1 - ``alpha`` bound of mean(numerator) / mean(denominator).

    Both are (clusters,), entry i of both of the same cluster; the mean of ``denominator`` is not
    negative. Fieller's bounds by Student's t: the ratios r at which the mean of numerator - r ·
    denominator is as far from 0 as t allows. Exact for normal means. A cluster in which the
    numerator is 0 throughout still counts, so a figure that was never seen has an upper bound.
    Without bounds, (-inf, inf), where fewer than two clusters say anything or the denominator
    itself may be 0. ``degrees``: of freedom; None: one fewer than clusters. Source: Fieller (1954),
    Journal of the Royal Statistical Society B 16, 175-185.
    """

    import numpy as np

    clusters = len(denominator)
    if clusters < 2:
        return -math.inf, math.inf
    t2 = _t_quantile(alpha, degrees or clusters - 1) ** 2
    above, below = float(numerator.mean()), float(denominator.mean())
    (v_above, v_both), (_, v_below) = (np.cov(numerator, denominator) * t2 / clusters).tolist()
    a, b, c = below**2 - v_below, above * below - v_both, above**2 - v_above
    if a <= 0:
        return -math.inf, math.inf
    half = math.sqrt(max(b * b - a * c, 0.0))
    return (b - half) / a, (b + half) / a


def spreading_clusters(values: Floats) -> float:
    """How many of the ``values``, (clusters,), their spread is made of: from 1 to all of them.

    (Σ d)² / Σ d², d the squared distances from the mean: n where all are as far from it, and few
    where a few are. A spread that a few clusters make is known as badly as so few would tell it.
    The formula is that of effective samples for weights (Kish 1965, Survey Sampling); 0 where
    nothing spreads.
    """
    squares = (values - values.mean()) ** 2
    return float(squares.sum() ** 2 / total) if (total := (squares**2).sum()) else 0.0


@cache
def _t_quantile(alpha: float, degrees: float) -> float:
    """The upper ``alpha`` quantile of Student's t; SciPy takes a tenth of a millisecond for it."""
    from scipy.stats import t as student_t

    return float(student_t.isf(alpha, degrees))


def mean_bounds(values: Floats, alpha: float) -> Interval:
    """The lower and the upper one-sided 1 - ``alpha`` bound of a mean, by Student's t.

    ``values`` are (clusters,); fewer than two give no bounds, (-inf, inf).
    """
    if len(values) < 2:
        return -math.inf, math.inf
    half = _t_quantile(alpha, len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
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
    return NormalDist().cdf(truth / error - _t_quantile(alpha, len(values) - 1))


@cache
def block_alpha(alpha: float, block: int, blocks: int) -> float:
    """The error probability of the test after ``block`` of ``blocks`` equal blocks of answers.

    O'Brien and Fleming's boundaries: early tests need far clearer figures, so that all of them
    together err with ``alpha`` at most. After k blocks of independent and equal information the
    sum of k standard normal steps is compared with one bound for all k; the bound is where a random
    walk of ``blocks`` steps ever reaches it with a chance of ``alpha``. The last test keeps most
    of alpha. Source: O'Brien and Fleming (1979), Biometrics 35, 549-556.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

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
    import numpy as np
    from scipy.stats import norm

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

    import numpy as np

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

    import numpy as np

    if not clusters or any(len(column) != len(clusters) for column in columns):
        raise ValueError("needs at least one entry, and as many in every column")
    names, place = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), len(columns)))  # (C, K)
    np.add.at(sums, place, np.column_stack(columns))
    return sums


def _check_counts(lost: int, gained: int, pairs: int) -> None:
    if min(lost, gained) < 0 or lost + gained > pairs:
        raise ValueError(f"{lost} lost and {gained} gained of {pairs} pairs can't be")
