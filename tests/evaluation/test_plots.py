"""Plots are SVG with every name in it, the same for the same records."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Estimate, Figures, Group
from ghostbust.evaluation.locality import Shift
from ghostbust.evaluation.plots import (
    Panel,
    Series,
    draw,
    draw_behaviour,
    frontier,
    locality,
    need_matplotlib,
    rate_by_round,
)
from ghostbust.records import Answer

MakeAnswer = Callable[..., Answer]
UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@pytest.fixture
def behaviour(make_answer: MakeAnswer) -> Behaviour:
    answers = [make_answer(family, "a", "ghost") for family in range(12)]
    base, again, adapter = (ModelAnswers(name, answers) for name in (BASE, AGAIN, "a-1"))
    return measure_behaviour({0.0: [base, adapter], 0.7: [base, again, adapter]}, seed=0)


@pytest.fixture
def adapter(behaviour: Behaviour) -> Figures:
    return behaviour.of(0.7)["a-1"]


def texts(svg: str) -> list[str]:
    """All that a plot says, as an XML reader finds it."""
    root = ElementTree.fromstring(svg)
    assert root.tag.endswith("svg")
    return [node.text.strip() for node in root.iter() if node.text and node.text.strip()]


def shifts(kl: float, groups: Sequence[Group] = tuple(Group)) -> list[Shift]:
    return [Shift(group, kl, (kl / 2, kl * 2), 40, 9) for group in groups]


def test_behaviour_is_drawn_at_each_temperature(behaviour: Behaviour) -> None:
    drawn = draw_behaviour(behaviour, {"a-1": -0.26})
    assert set(drawn) == {"frontier-0.svg", "frontier-0.7.svg", "rounds.svg"}
    assert {AGAIN, "a-1, log-likelihood -0.3 %"} <= set(texts(drawn["frontier-0.7.svg"]))
    assert {"temperature 0.7", "base", "a-1"} <= set(texts(drawn["rounds.svg"]))
    assert AGAIN not in texts(drawn["rounds.svg"])
    assert draw_behaviour(behaviour, {"a-1": -0.26}) == drawn, "the same bytes"


def test_a_frontier_names_each_name_once_and_moves_with_its_points(adapter: Figures) -> None:
    models = [("a", adapter), ("b", adapter), ("a", adapter)]
    models += [(f"c-{n}", adapter) for n in range(9)]
    said = texts(frontier(models))
    assert [said.count(name) for name in ("a", "b", "c-8")] == [1, 1, 1]
    assert adapter.change is not None
    elsewhere = replace(adapter.change, supported=Estimate(3.5, 3, 4))
    assert frontier([("a", replace(adapter, change=elsewhere))]) != frontier([("a", adapter)])


def test_figures_that_are_no_numbers_can_be_drawn(adapter: Figures) -> None:
    assert adapter.change is not None
    silent = replace(adapter.change, drop=UNKNOWN, supported=UNKNOWN)
    assert "silent" in texts(frontier([("silent", replace(adapter, change=silent))]))
    lines = {"a": [("base", adapter), ("1", replace(adapter, supported=UNKNOWN))]}
    assert {"a", "base", "1"} <= set(texts(rate_by_round(lines)))


def test_locality_names_every_group_and_a_model_that_did_not_move() -> None:
    moved, still = shifts(0.2, [Group.PACKAGES]), shifts(0.0)
    said = " ".join(texts(locality({"a-1": moved, "still": still})))
    assert all(word in said for group in Group for word in group.split())
    assert "still" in texts(locality({"still": still}))


@pytest.mark.parametrize("form", ["points", "points on a line", "line"])
def test_nothing_to_draw_is_an_empty_plot(form: Any) -> None:
    assert "y" in texts(draw([Panel("y", [], form), Panel("z", [Series("a", [], [])], form)]))


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match=r"pip install 'ghostbust\[plot\]'"):
        need_matplotlib()
