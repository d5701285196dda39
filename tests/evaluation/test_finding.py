"""Ways of looking in tables: at equal tokens, ratios to the uniform way, means over seeds."""

from __future__ import annotations

import pytest

from ghostbust.evaluation.comparisons import (
    OperatorUses,
    SearchComparison,
    SearchPoint,
    SearchRun,
    draw_search,
    search_tables,
)
from ghostbust.evaluation.figures import Spread
from ghostbust.evaluation.ways import Search


def run(way: Search, seed: int, names: int, tokens: int = 10, answers: int = 20) -> SearchRun:
    """Every answer costs the tokens and finds so many names, and is of a new prompt."""
    points = tuple(SearchPoint(tokens * n, n, names * n, n) for n in range(1, answers + 1))
    uses = (
        ()
        if way is Search.UNIFORM
        else (OperatorUses("agent", 4, 3, 2, 0), OperatorUses("broader", 1, 0, 0, 9))
    )
    return SearchRun(way, seed, points, uses)


FOUND = SearchComparison(
    (
        run(Search.UNIFORM, 0, 1),
        run(Search.UNIFORM, 1, 2),
        run(Search.ADAPTIVE, 0, 3, tokens=20, answers=11),
        run(Search.ADAPTIVE, 1, 2, answers=25),
    )
)


def test_a_seeds_ways_are_compared_at_the_fewest_tokens() -> None:
    assert (FOUND.limit(0), FOUND.limit(1)) == (200, 200)
    rows = search_tables(FOUND)[0].rows
    assert [(row["way"], row["seed"], row["answers"], row["names"]) for row in rows[:4]] == [
        ("uniform", 0, 20, 20), ("uniform", 1, 20, 40), ("adaptive", 0, 10, 30),
        ("adaptive", 1, 20, 40),
    ]  # fmt: skip
    assert [row["names ratio"] for row in rows[:4]] == [1, 1, 1.5, 1]
    assert [row["prompts ratio"] for row in rows[:4]] == [1, 1, 0.5, 1]


def test_over_seeds_there_are_means_and_ends() -> None:
    rows = search_tables(FOUND)[0].rows
    assert [(row["way"], row["seed"]) for row in rows[4:]] == [
        ("uniform", "all"), ("adaptive", "all"),
    ]  # fmt: skip
    assert rows[5]["names ratio"] == Spread(1.25, 1, 1.5)
    assert rows[5]["tokens"] == Spread(200, 200, 200)


def test_operators_are_summed_over_seeds() -> None:
    _, operators = search_tables(FOUND)
    assert operators.rows == (
        {"way": "adaptive", "operator": "agent", "asked": 8, "written": 6, "paid": 4, "tokens": 0},
        {"way": "adaptive", "operator": "broader", "asked": 2, "written": 0, "paid": 0,
         "tokens": 18},
    )  # fmt: skip
    assert len(search_tables(SearchComparison(FOUND.runs[:2]))) == 1


def test_nothing_found_has_no_ratio() -> None:
    nothing = SearchComparison((run(Search.UNIFORM, 0, 0), run(Search.ADAPTIVE, 0, 1)))
    rows = search_tables(nothing)[0].rows
    assert rows[1]["names ratio"] is None
    assert rows[3]["names ratio"] is None
    assert run(Search.UNIFORM, 0, 1).at(5) == SearchPoint(0, 0, 0, 0)
    assert SearchRun(Search.UNIFORM, 0, ()).tokens == 0


def test_the_curve_has_a_line_for_each_run() -> None:
    pytest.importorskip("matplotlib")
    (svg,) = draw_search(FOUND).values()
    for text in ("uniform", "adaptive", "tokens generated", "distinct invented names"):
        assert text in svg
    assert svg.count("#1f6feb") >= 4
