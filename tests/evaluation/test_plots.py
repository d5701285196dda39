"""Plots are SVG with every name in it, the same for the same records."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Estimate
from ghostbust.evaluation.plots import (
    PARTS,
    FrontierPoint,
    RoundPoint,
    draw_behaviour,
    frontier,
    list_lengths,
    locality,
    need_matplotlib,
    rate_by_round,
)
from ghostbust.records import Answer

MakeAnswer = Callable[..., Answer]

HALF = Estimate(0.5, 0.4, 0.6)
NONE = Estimate(math.nan, math.nan, math.nan)


def texts(svg: str) -> set[str]:
    """All that a plot says, as an XML reader finds it."""
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    return {node.text.strip() for node in root.iter() if node.text and node.text.strip()}


DRAWN: dict[str, Callable[[], str]] = {
    "frontier": lambda: frontier(
        [
            FrontierPoint("base again", Estimate(0, -0.1, 0.1), Estimate(1, 0.9, 1.1), True),
            FrontierPoint("a-1", HALF, HALF),
            FrontierPoint("silent", NONE, NONE),
        ]
    ),
    "rounds": lambda: rate_by_round(
        {"temperature 0.7": [RoundPoint("base", HALF, HALF), RoundPoint("a-1", HALF, NONE)]}
    ),
    "lengths": lambda: list_lengths(["0", "1"], {"base": [0.2, 0.8], "a-1": [0.5, 0.5]}),
    "locality": lambda: locality(
        {"a-1": dict.fromkeys(PARTS, HALF), "a-2": {"general code": HALF}}
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_plot_is_svg_and_says_whose_it_is(name: str) -> None:
    assert "a-1" in texts(DRAWN[name]())


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_records_give_the_same_bytes(name: str) -> None:
    assert DRAWN[name]() == DRAWN[name]()


def test_a_frontier_says_what_became_of_right_solutions() -> None:
    points = [FrontierPoint("a-1", HALF, HALF, likelihood=-0.26), FrontierPoint("a-2", HALF, HALF)]
    assert {"a-1, log-likelihood -0.3 %", "a-2"} <= texts(frontier(points))


def test_a_model_that_did_not_move_can_be_drawn() -> None:
    nothing = dict.fromkeys(PARTS, Estimate(0.0, 0.0, 0.0))
    assert {"still", "a-1"} <= texts(locality({"still": nothing, "a-1": {PARTS[0]: HALF}}))
    assert "still" in texts(locality({"still": nothing}))


def test_a_frontier_moves_with_its_points() -> None:
    here = frontier([FrontierPoint("a", HALF, HALF)])
    there = frontier([FrontierPoint("a", HALF, Estimate(3.5, 3, 4))])
    assert here != there


def test_points_of_one_name_stand_in_the_legend_once() -> None:
    one, other = FrontierPoint("a-1", HALF, HALF), FrontierPoint("a-2", HALF, HALF)
    drawn = frontier([one, other, one, *(FrontierPoint(f"b-{n}", HALF, HALF) for n in range(9))])
    said = [node.text for node in ElementTree.fromstring(drawn).iter() if node.text]
    assert [said.count(name) for name in ("a-1", "a-2", "b-8")] == [1, 1, 1]


def test_locality_names_every_part() -> None:
    said = " ".join(texts(DRAWN["locality"]()))
    assert all(word in said for part in PARTS for word in part.split())


def test_nothing_to_draw_is_an_empty_plot() -> None:
    for svg in (frontier([]), rate_by_round({}), list_lengths(["0"], {}), locality({})):
        assert texts(svg)


def test_behaviour_is_drawn_at_each_temperature(make_answer: MakeAnswer) -> None:
    answers = [make_answer(family, "a", "ghost") for family in range(12)]
    base, again, adapter = (
        ModelAnswers(BASE, answers),
        ModelAnswers(AGAIN, answers),
        ModelAnswers("a-1", answers),
    )
    found = measure_behaviour({0.0: [base, adapter], 0.7: [base, again, adapter]}, seed=0)
    drawn = draw_behaviour(found, {"a-1": -1.0})
    assert set(drawn) == {
        "frontier-0.svg", "frontier-0.7.svg", "list-lengths-0.svg", "list-lengths-0.7.svg",
        "rounds.svg",
    }  # fmt: skip
    named = texts(drawn["frontier-0.7.svg"])
    assert {"base again", "a-1, log-likelihood -1.0 %"} <= named
    assert "base again" not in texts(drawn["rounds.svg"])


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match=r"pip install 'ghostbust\[plot\]'"):
        need_matplotlib()
