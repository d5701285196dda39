"""What stands in the cells of an evaluation's tables."""

from __future__ import annotations

from math import inf, nan

import pytest
from rich.console import Console

from ghostbust.cli.eval_tables import shown, shown_tables
from ghostbust.evaluation.report import Estimate, Spread, Table


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


def printed(one: Table, width: int) -> list[list[str]]:
    """The words of each line that has any."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(*shown_tables(one, width), sep="")
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= width
    return [line.split() for line in lines if line.split() and "─" not in line]


FIGURE = Estimate(0.5, 0.25, 0.75)
ROWS: tuple[dict[str, object], ...] = (
    {"model": "base", "context": "all", "rate": FIGURE, "names": 9},
    {"model": "a-1", "context": "all", "rate": FIGURE, "drop": FIGURE, "names": 8},
    {"model": "a-1", "context": "code", "rate": FIGURE, "drop": FIGURE, "names": 7},
)


def test_a_wide_table_is_one_whose_first_key_is_not_repeated() -> None:
    figure = ["0.500", "(0.250..0.750)"]
    assert printed(Table("title", ROWS), 80) == [
        ["title"],
        ["model", "context", "rate", "names", "drop"],
        ["base", "all", *figure, "9", "–"],
        ["a-1", "all", *figure, "8", *figure],
        ["code", *figure, "7", *figure],
    ]


def test_a_narrow_table_goes_on_below_with_the_keys_and_breaks_before_the_interval() -> None:
    lines = printed(Table("title", ROWS), 42)
    assert lines[:4] == [
        ["title"],
        ["model", "context", "rate", "names"],
        ["base", "all", "0.500", "9"],
        ["(0.250..0.750)"],
    ]
    below = lines.index(["model", "context", "drop"])
    assert lines[below + 1 :] == [
        ["base", "all", "–"],
        ["a-1", "all", "0.500", "(0.250..0.750)"],
        ["code", "0.500", "(0.250..0.750)"],
    ]


def test_long_texts_and_names_are_broken_and_never_cut() -> None:
    name, text = "round" * 8, "more tasks would tell, " * 4
    rows: tuple[dict[str, object], ...] = ({"model": name, "verdict": "PASS", "reason": text},)
    lines = printed(Table("gates", rows), 64)
    begins = [line[0] for line in lines if line[0].startswith("round")]
    assert "".join(begins) == name
    assert [word for line in lines for word in line].count("tell,") == 4


def test_a_table_of_keys_alone_or_of_nothing_is_shown() -> None:
    assert printed(Table("title", ({"model": "base"},)), 30)[1:] == [["model"], ["base"]]
    assert shown_tables(Table("title", ()), 30) == []
