"""Estimates out of resamples, and what stands in the cells of tables."""

from __future__ import annotations

import math
from math import inf, nan

import numpy as np
import pytest

from ghostbust.evaluation.figures import Estimate, Spread, estimate, shown


def test_the_first_value_is_the_figure_and_the_rest_its_interval() -> None:
    values = np.concatenate([[7.0], np.arange(1001, dtype=float)])
    found = estimate(values)
    assert (found.value, found.low, found.high) == (7, 25, 975)


def test_resamples_without_a_value_are_left_out() -> None:
    values = np.concatenate([[0.5], np.full(500, math.nan), np.full(500, 0.25)])
    found = estimate(values)
    assert (found.value, found.low, found.high) == (0.5, 0.25, 0.25)


@pytest.mark.parametrize("values", [[math.nan, 1.0, 1.0], [1.0, math.nan, math.nan]])
def test_without_a_figure_or_a_resample_there_is_no_interval(values: list[float]) -> None:
    found = estimate(np.array(values))
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Estimate(0.25, 0.125, 0.5), "0.250 (0.125..0.500)"),
        (Estimate(-0.25, -1.125, 0.5), "-0.250 (-1.125..0.500)"),
        (Estimate(0.00012, 0.0001, 0.00014), "0.00012 (0.00010..0.00014)"),
        (Estimate(1e-9, 0.0, 2e-9), "0.000000 (0.000000..0.000000)"),
        (Estimate(0.0001, -0.2, 0.2), "0.000 (-0.200..0.200)"),
        (Estimate(0.0, 0.0, 0.0), "0.000 (0.000..0.000)"),
        (Estimate(0.5, nan, nan), "0.500"),
        (Estimate(inf, inf, inf), "inf (inf..inf)"),
        (Estimate(nan, nan, nan), "–"),
        (Spread(0.25, 0.125, 0.5), "0.250 (0.125..0.500)"),
        (None, "–"),
        (nan, "–"),
        (0.12345, "0.123"),
        (12, "12"),
        ("base", "base"),
    ],
)
def test_a_cell_is_a_figure_a_number_or_a_text(value: object, text: str) -> None:
    assert shown(value) == text
