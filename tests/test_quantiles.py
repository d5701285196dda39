"""The quantiles against scipy's."""

from __future__ import annotations

import pytest
from scipy.stats import gamma
from scipy.stats import t as student

from ghostbust.quantiles import gamma_ppf, student_isf


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.025, 1e-6])
@pytest.mark.parametrize("freedom", [1, 2, 7, 60, 5000])
def test_students_quantile(alpha: float, freedom: int) -> None:
    assert student_isf(alpha, freedom) == pytest.approx(
        student.isf(alpha, freedom), rel=1e-9, abs=1e-6
    )


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.9999])
@pytest.mark.parametrize("shape", [0.3, 1, 3, 17.5, 900])
def test_gammas_quantile(share: float, shape: float) -> None:
    assert gamma_ppf(share, shape) == pytest.approx(gamma.ppf(share, shape), rel=1e-9)


def test_no_quantile_outside_of_the_distribution() -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_isf(0.7, 3)
    with pytest.raises(ValueError, match="no quantile"):
        gamma_ppf(1.0, 3)
