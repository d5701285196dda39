"""What stands in the cells of tables."""

from __future__ import annotations

from math import inf, nan

import pytest

from ghostbust.evaluation.figures import Estimate, Spread, shown


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
