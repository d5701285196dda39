"""What stands in the cells of an evaluation's tables."""

from __future__ import annotations

from math import inf, nan

import pytest
from rich.console import Console

from ghostbust.cli.eval_tables import shown, shown_table
from ghostbust.evaluation.report import Estimate, Table


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
        (None, "–"),
        (nan, "–"),
        (0.12345, "0.123"),
        (12, "12"),
        ("base", "base"),
    ],
)
def test_a_cell_is_a_figure_a_number_or_a_text(value: object, text: str) -> None:
    assert shown(value) == text


def test_a_narrow_table_breaks_before_the_interval_and_has_a_dash_for_what_is_not_there() -> None:
    rows: tuple[dict[str, object], ...] = ({"a": 1}, {"a": 2, "b": Estimate(0.5, 0.25, 0.75)})
    console = Console(width=20)
    with console.capture() as printed:
        console.print(shown_table(Table("title", rows)))
    lines = [line.split() for line in printed.get().splitlines() if line.split()]
    assert (lines[0], lines[1]) == (["title"], ["a", "b"])
    assert lines[-3:] == [["1", "–"], ["2", "0.500"], ["(0.250..0.750)"]]
