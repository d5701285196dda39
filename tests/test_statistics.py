"""Tests and intervals against published figures, closed forms and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, multinomial, norm

from ghostbust.gates.interface import spent_alpha
from ghostbust.statistics import (
    LEAST_TAIL,
    block_alpha,
    cluster_sums,
    fewer_bound,
    fewer_p_value,
    mcnemar_one_sided,
    mcnemar_power,
    mcnemar_two_sided,
    mean_bounds,
    paired_bootstrap,
    percentile_interval,
    power_at_margin,
    ratio_bootstrap,
    ratio_bounds,
    relative_drop,
    resampled_sums,
    shown_with_chance,
    spreading_clusters,
    tango_upper_bound,
    widened_interval,
)

Z95 = 1.6448536269514722


@pytest.mark.parametrize("share", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("count", "other"), [(0, 8), (3, 8), (5, 0), (12, 40)])
def test_fewer_is_the_binomial_sum(count: int, other: int, share: float) -> None:
    p, n = share / (1 + share), count + other
    tail = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(count + 1))
    assert fewer_p_value(count, other, share) == pytest.approx(tail, rel=1e-12)


def test_nothing_is_fewer_than_no_share() -> None:
    assert fewer_p_value(0, 9, 0.0) == fewer_p_value(0, 0, 0.5) == 1
    for wrong in ((-1, 2, 0.5), (1, 2, math.nan)):
        with pytest.raises(ValueError, match="aren't counts"):
            fewer_p_value(*wrong)


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [
        (0, 0, 1.0),
        (0, 5, 1.0),
        (5, 0, 1 / 32),
        (4, 1, 6 / 32),
        (8, 10, 1 - 63004 / 2**18),  # 63004 = C(18, 0) + ... + C(18, 7)
    ],
)
def test_mcnemar_matches_counting_by_hand(lost: int, gained: int, p: float) -> None:
    assert mcnemar_one_sided(lost, gained) == pytest.approx(p, rel=1e-12)


def test_mcnemar_matches_a_published_two_sided_value() -> None:
    # Complete response before and after consolidation therapy, Cavo et al. (2012), as worked
    # through by Fagerland, Lydersen and Laake (2017), chapter 8: exact P = 0.052479.
    assert mcnemar_two_sided(16, 6) == pytest.approx(0.052479, abs=5e-7)
    assert mcnemar_two_sided(6, 16) == mcnemar_two_sided(16, 6)
    assert mcnemar_two_sided(3, 3) == 1


@pytest.mark.parametrize(
    ("first", "second", "pairs", "low", "high"),
    [
        (6, 16, 161, -0.1240, -0.0054),  # Cavo et al. (2012)
        (1, 7, 21, -0.517, -0.026),  # Bentur et al. (2009)
    ],
)
def test_tango_matches_published_95_percent_intervals(
    first: int, second: int, pairs: int, low: float, high: float
) -> None:
    # Both as worked through by Fagerland, Lydersen and Laake (2017), chapter 8.
    tolerance = 5e-5 if pairs == 161 else 5e-4
    upper = tango_upper_bound(first, second, pairs, alpha=0.025)
    lower = -tango_upper_bound(second, first, pairs, alpha=0.025)
    assert upper == pytest.approx(high, abs=tolerance)
    assert lower == pytest.approx(low, abs=tolerance)


@pytest.mark.parametrize("pairs", [1, 20, 164, 1140])
def test_tango_without_discordant_pairs_has_its_closed_form(pairs: int) -> None:
    assert tango_upper_bound(0, 0, pairs) == pytest.approx(Z95**2 / (pairs + Z95**2), rel=1e-9)


def test_tango_bound_is_where_a_numeric_profile_likelihood_puts_it() -> None:
    lost, gained, pairs = 9, 4, 164
    bound = tango_upper_bound(lost, gained, pairs)

    def minus_log_likelihood(gain: float) -> float:
        rest = 1 - bound - 2 * gain
        return -(
            lost * math.log(gain + bound)
            + gained * math.log(gain)
            + (pairs - lost - gained) * math.log(rest)
        )

    gain = minimize_scalar(
        minus_log_likelihood,
        bounds=(1e-9, (1 - bound) / 2 - 1e-9),
        method="bounded",
        options={"xatol": 1e-12},
    ).x
    statistic = (lost - gained - pairs * bound) / math.sqrt(
        pairs * (2 * gain + bound * (1 - bound))
    )
    assert statistic == pytest.approx(-float(norm.isf(0.05)), abs=1e-5)


def test_tango_at_the_edges() -> None:
    assert tango_upper_bound(7, 0, 7) == 1.0
    assert -1 < tango_upper_bound(0, 7, 7) < 0
    assert 0 < tango_upper_bound(1, 0, 1_000_000) < 1e-5


@pytest.mark.parametrize(("lost", "gained", "pairs"), [(-1, 0, 5), (3, 3, 5), (0, -1, 5)])
def test_impossible_counts_are_refused(lost: int, gained: int, pairs: int) -> None:
    with pytest.raises(ValueError, match="can't be"):
        tango_upper_bound(lost, gained, pairs)


def test_power_by_hand() -> None:
    # Four losses of four have p = 1/16, five of five 1/32: only the latter is significant.
    assert mcnemar_power(4, p_lost=1, p_gained=0) == 0
    assert mcnemar_power(5, p_lost=1, p_gained=0) == pytest.approx(1)
    assert mcnemar_power(5, p_lost=0.5, p_gained=0) == pytest.approx(1 / 32)


def test_power_for_a_two_point_loss_is_what_the_docs_say() -> None:
    power = [mcnemar_power(n, p_lost=0.05, p_gained=0.03) for n in (164, 542, 1140)]
    assert power == pytest.approx([0.16, 0.45, 0.74], abs=0.005)


def test_power_without_a_loss_keeps_to_alpha() -> None:
    assert 0 < mcnemar_power(164, p_lost=0.04, p_gained=0.04) <= 0.05


@pytest.mark.parametrize(("lost", "gained"), [(0.0, 0.0), (0.7, 0.4), (-0.1, 0.2)])
def test_power_refuses_what_are_no_chances(lost: float, gained: float) -> None:
    with pytest.raises(ValueError, match="chances"):
        mcnemar_power(10, p_lost=lost, p_gained=gained)


@pytest.mark.parametrize(
    ("pairs", "p_lost", "p_gained", "chance"),
    [
        (164, 0.01, 0.01, 0.97),
        (164, 0.03, 0.03, 0.76),
        (164, 0.05, 0.05, 0.60),
        (164, 0.07, 0.02, 0.04),
        (100, 0.03, 0.03, 0.55),
    ],
)
def test_the_bound_stays_within_the_margin_as_often_as_the_docs_say(
    pairs: int, p_lost: float, p_gained: float, chance: float
) -> None:
    cells = [p_lost, p_gained, 1 - p_lost - p_gained]
    within = sum(
        multinomial.pmf([lost, gained, pairs - lost - gained], pairs, cells)
        for lost in range(35)
        for gained in range(35)
        if tango_upper_bound(lost, gained, pairs) <= 0.05
    )
    assert within == pytest.approx(chance, abs=0.005)


def test_power_at_the_margin_keeps_the_discordant_pairs_that_were_seen() -> None:
    seen = power_at_margin(100, 20, margin=0.1)
    assert seen == pytest.approx(mcnemar_power(100, p_lost=0.15, p_gained=0.05))
    fewer = power_at_margin(100, 4, margin=0.1)
    assert fewer == pytest.approx(mcnemar_power(100, p_lost=0.1, p_gained=0))
    assert power_at_margin(100, 20, margin=0.1, alpha=0.001) < seen < fewer


def _chance_of_pass(pairs: int, churn: float, *, alpha: float, margin: float = 0.05) -> float:
    """The chance that the bound is within ``margin`` if ``churn`` is lost and as much gained."""
    chance, most = 0.0, -1
    for gained in range(int(binom.isf(1e-7, pairs, churn)) + 2):
        while tango_upper_bound(most + 1, gained, pairs, alpha=alpha) <= margin:
            most += 1
        lost_at_most = binom.cdf(most, pairs - gained, churn / (1 - churn))
        chance += float(binom.pmf(gained, pairs, churn) * lost_at_most)
    return chance


@pytest.mark.parametrize(
    ("pairs", "churn", "chances"),
    [
        (164, 0.01, (0.97, 0.92, 0.67, 0.24, 0.05, 0.00)),
        (164, 0.03, (0.76, 0.68, 0.40, 0.13, 0.04, 0.00)),
        (1138, 0.03, (1.00, 1.00, 1.00, 1.00, 1.00, 0.84)),
        (1138, 0.05, (1.00, 1.00, 1.00, 0.98, 0.96, 0.45)),
    ],
)
def test_looks_that_share_alpha_pass_as_often_as_the_docs_say(
    pairs: int, churn: float, chances: tuple[float, ...]
) -> None:
    alphas = [0.05, *(spent_alpha(0.05, look) for look in (1, 2, 5, 10, 365))]
    found = [_chance_of_pass(pairs, churn, alpha=alpha) for alpha in alphas]
    assert found == pytest.approx(chances, abs=0.0051)


def test_more_tasks_allow_a_lower_margin_as_the_docs_say() -> None:
    chance = _chance_of_pass(1138, 0.01, alpha=0.05, margin=0.02)
    assert chance == pytest.approx(0.997, abs=0.0005)


def test_humaneval_alone_cannot_pass_from_the_fifth_look_on() -> None:
    bounds = [tango_upper_bound(0, 0, 164, alpha=spent_alpha(0.05, look)) for look in (4, 5)]
    assert bounds[0] <= 0.05 < bounds[1]


def test_paired_bootstrap_agrees_with_the_normal_interval_of_a_mean() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(1.0, 1.0, 400)
    difference = rng.normal(0.1, 0.5, 400)
    tasks = [str(number) for number in range(400)]
    low, high = paired_bootstrap(
        base.tolist(), (base + difference).tolist(), tasks, level=0.9, seed=1
    )
    half = Z95 * difference.std() / math.sqrt(400)
    assert low == pytest.approx(difference.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(difference.mean() + half, abs=0.1 * half)


def test_entries_of_one_task_are_drawn_together() -> None:
    rng = np.random.default_rng(6)
    base, candidate = rng.normal(size=(2, 50)).tolist()
    tasks = [str(number) for number in range(50)]
    once = paired_bootstrap(base, candidate, tasks, level=0.9, seed=1)
    copied = paired_bootstrap(base * 4, candidate * 4, tasks * 4, level=0.9, seed=1)
    apart = paired_bootstrap(
        base * 4, candidate * 4, [str(number) for number in range(200)], level=0.9, seed=1
    )
    assert copied == pytest.approx(once)
    assert apart[1] - apart[0] == pytest.approx((once[1] - once[0]) / 2, rel=0.1)


def test_ratio_bootstrap_agrees_with_the_delta_method() -> None:
    rng = np.random.default_rng(8)
    top, bottom = rng.poisson(4, 500), rng.poisson(3, 500)
    families = [str(number) for number in range(500)]
    low, high = ratio_bootstrap(top.tolist(), bottom.tolist(), families, level=0.9, seed=2)
    ratio = top.mean() / bottom.mean()
    half = Z95 * (top - ratio * bottom).std() / math.sqrt(500) / bottom.mean()
    assert (low + high) / 2 == pytest.approx(ratio, abs=0.1 * half)
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)


def test_a_resample_without_denominator_counts_as_infinite() -> None:
    low, high = ratio_bootstrap([1, 1], [0, 1], ["a", "b"], level=0.9, seed=0)
    assert (low, high) == (1.0, math.inf)
    infinite = ratio_bootstrap([1, 1], [0, 0], ["a", "b"], level=1 - 1e-9, seed=0)
    assert infinite == (math.inf, math.inf)


def test_cluster_sums_add_up_by_name() -> None:
    sums = cluster_sums(["b", "a", "b"], [1, 2, 3], [10, 20, 30])
    assert sums.tolist() == [[2, 20], [4, 40]]


@pytest.mark.parametrize(("clusters", "column"), [([], []), (["a"], [1.0, 2.0])])
def test_cluster_sums_refuse_nothing_and_unequal_columns(
    clusters: list[str], column: list[float]
) -> None:
    with pytest.raises(ValueError, match="as many in every column"):
        cluster_sums(clusters, column)


def test_every_resample_draws_as_many_clusters_as_there_are() -> None:
    sums = resampled_sums(np.ones((7, 1)), seed=0, resamples=50)
    assert sums.tolist() == [[7.0]] * 50


def test_percentile_interval_ends_on_values_that_occur() -> None:
    assert percentile_interval(np.arange(101.0), 0.5) == (25.0, 75.0)
    assert percentile_interval(np.array([0.0, 1.0, math.inf]), 0.5) == (0.0, math.inf)


def test_beyond_the_resamples_an_interval_is_widened_like_a_normal_one() -> None:
    rng = np.random.default_rng(9)
    difference = rng.normal(0.1, 0.5, 400)
    tasks = [str(number) for number in range(400)]
    nothing = [0.0] * 400
    for alpha in (LEAST_TAIL, 1e-3, 1e-5):
        low, high = paired_bootstrap(
            nothing, difference.tolist(), tasks, level=1 - 2 * alpha, seed=1
        )
        half = norm.isf(alpha) * difference.std() / math.sqrt(400)
        assert low == pytest.approx(difference.mean() - half, abs=0.12 * half)
        assert high == pytest.approx(difference.mean() + half, abs=0.12 * half)


def test_the_widened_interval_goes_on_where_the_resamples_end() -> None:
    values = np.random.default_rng(10).normal(size=4000)
    at_the_end = widened_interval(values, 0.0, 1 - 2 * LEAST_TAIL)
    assert at_the_end == percentile_interval(values, 1 - 2 * LEAST_TAIL)
    beyond = widened_interval(values, 0.0, 1 - 1.98 * LEAST_TAIL)
    assert beyond == pytest.approx(at_the_end, rel=0.01)
    assert beyond[0] < at_the_end[0] < at_the_end[1] < beyond[1]


def test_an_undefined_drop_speaks_against_the_candidate() -> None:
    rows = np.array(
        [
            [2.0, 8.0, 1.0, 8.0],  # 0.25 -> 0.125
            [0.0, 8.0, 0.0, 8.0],  # neither invents
            [0.0, 8.0, 1.0, 8.0],  # only the candidate does
            [2.0, 8.0, 0.0, 0.0],  # the candidate names nothing
            [0.0, 0.0, 0.0, 8.0],  # the base names nothing
        ]
    )
    assert relative_drop(rows).tolist() == [0.5, 0.0, -1.0, 0.0, 0.0]


# Bounds over clusters


@pytest.mark.parametrize(
    ("blocks", "published"), [(1, 1.960), (2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040)]
)
def test_blocks_have_the_boundaries_of_obrien_and_fleming(blocks: int, published: float) -> None:
    """The constants of Jennison and Turnbull (2000), table 2.3, for a two-sided 0.05."""
    for block in range(1, blocks + 1):
        z = norm.isf(block_alpha(0.025, block, blocks))
        assert z * math.sqrt(block / blocks) == pytest.approx(published, abs=0.001)


@pytest.mark.parametrize(("alpha", "block", "blocks"), [(0.0, 1, 1), (0.5, 1, 1), (0.05, 3, 2)])
def test_blocks_that_cannot_be_are_refused(alpha: float, block: int, blocks: int) -> None:
    with pytest.raises(ValueError, match="can't be"):
        block_alpha(alpha, block, blocks)


def test_a_ratios_bounds_err_as_often_as_they_say() -> None:
    draw = np.random.default_rng(7)
    wrong = np.zeros(2)
    for _ in range(2000):
        shared = draw.gamma(2.0, 1.0, 40)  # what is hard for both
        now, base = (draw.poisson(rate * shared).astype(np.float64) for rate in (0.8, 1.0))
        low, high = ratio_bounds(now, base, 0.05)
        wrong += low > 0.8, high < 0.8
    assert wrong / 2000 == pytest.approx([0.05, 0.05], abs=0.02)


def test_a_ratios_bounds_are_fiellers() -> None:
    """Where it is as far from 0 as t allows, by its own definition."""
    after, before = np.array([3.0, 5.0, 2.0, 6.0, 4.0]), np.array([4.0, 6.0, 5.0, 6.0, 7.0])
    t = 2.131847  # of 4 degrees of freedom, 0.05 above it
    for bound in ratio_bounds(after, before, 0.05):
        rest = after - bound * before
        assert abs(rest.mean()) / (rest.std(ddof=1) / math.sqrt(5)) == pytest.approx(t, abs=1e-5)


def test_bounds_need_two_clusters_and_a_denominator() -> None:
    nothing = (-math.inf, math.inf)
    one, two = np.ones(1), np.ones(2)
    assert ratio_bounds(one, one, 0.05) == mean_bounds(one, 0.05) == nothing
    assert ratio_bounds(two, np.array([0.0, 1.0]), 0.05) == nothing, "its mean may be 0"
    assert ratio_bounds(two, two, 0.05) == (1, 1)
    assert mean_bounds(two, 0.05) == (1, 1)


def test_a_means_bounds_are_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 5.0])
    half = 2.353363 * values.std(ddof=1) / 2
    assert mean_bounds(values, 0.05) == pytest.approx((3 - half, 3 + half), abs=1e-5)


def test_a_rare_count_has_the_bound_at_which_it_is_unlikely() -> None:
    assert fewer_p_value(2, 40, fewer_bound(2, 40, 0.05)) == pytest.approx(0.05)
    assert fewer_bound(0, 100, 0.05) == pytest.approx(math.expm1(math.log(20) / 100))
    assert fewer_bound(0, 0, 0.05) == math.inf


def test_the_chance_to_show_something_is_that_of_simulated_tests() -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(0.4, 1.0, (4000, 50))
    shown = np.mean([mean_bounds(row, 0.05)[0] > 0 for row in values])
    said = np.mean([shown_with_chance(row, 0.4, 0.05) for row in values])
    assert said == pytest.approx(shown, abs=0.02)
    assert shown_with_chance(np.ones(9), 0.1, 0.05) == 1
    assert shown_with_chance(np.ones(1), 0.1, 0.05) == shown_with_chance(np.ones(9), 0, 0.05) == 0


def test_a_spread_is_made_of_as_many_clusters_as_are_far_from_the_mean() -> None:
    assert spreading_clusters(np.array([1.0, -1.0] * 5)) == pytest.approx(10)
    assert spreading_clusters(np.array([0.0] * 8 + [9.0, -9.0])) == pytest.approx(2)
    assert spreading_clusters(np.ones(4)) == 0
