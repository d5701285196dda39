"""Estimates out of resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ghostbust.evaluation.figures import estimate


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
