"""Rounds in one table and one plot: a row for each, the base below, failures said."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.comparisons import (
    Continual,
    KnownCode,
    Lesson,
    RoundRun,
    continual_tables,
    draw_continual,
)
from ghostbust.evaluation.figures import AGAIN, BASE, Estimate
from ghostbust.evaluation.ways import Way
from ghostbust.records import Answer

MakeAnswer = Callable[..., Answer]
LESSON = Lesson(answers=20, forget=8, own=15, steps=6, train_s=3.0, rank=16, kept_norm=0.9)
CODE = KnownCode(nats=Estimate(-0.02, -0.03, -0.01), share=Estimate(-0.01, -0.015, -0.005))


@pytest.fixture
def found(make_answer: MakeAnswer) -> Continual:
    """Two ways: one halves the rate and then cures, the other fails in its second round."""
    base = [make_answer(family, "a b", "ghost") for family in range(12)]
    half = [make_answer(family, "a b", "ghost" * (family % 2)) for family in range(12)]
    cured = [make_answer(family, "a b") for family in range(12)]
    arms = [
        ModelAnswers(BASE, base),
        ModelAnswers(AGAIN, base),
        ModelAnswers("half", half),
        ModelAnswers("cured", cured),
    ]
    of = measure_behaviour({0.7: arms}, seed=0).of(0.7)

    def run(way: Way, number: int, arm: str, *objections: str) -> RoundRun:
        return RoundRun(way, number, arm, "", LESSON, of[arm], objections, CODE)

    failed = RoundRun(Way.MERGE, 2, "half", "the loss became nan", None, None, (), None)
    runs = (
        run(Way.CONTINUE, 1, "half"),
        run(Way.CONTINUE, 2, "cured", "recommends less", "more empty answers"),
        run(Way.MERGE, 1, "half"),
        failed,
        run(Way.MERGE, 3, "cured"),
    )
    return Continual(runs, of[BASE], of[AGAIN])


def test_a_row_for_each_round_then_the_base_twice(found: Continual) -> None:
    rounds, objections, training = continual_tables(found)
    assert [(row["way"], row["round"]) for row in rounds.rows] == [
        ("continue", 1), ("continue", 2), ("merge", 1), ("merge", 2), ("merge", 3),
        (BASE, ""), (AGAIN, ""),
    ]  # fmt: skip
    first, cured, _, failed, _, base, again = rounds.rows
    assert isinstance(first["rate"], Estimate)
    assert first["rate"].value == pytest.approx(6 / 30)
    assert cured["drop"] == Estimate(1, 1, 1)
    assert cured["likelihood %"] == Estimate(-1, -1.5, -0.5)
    assert (cured["rank"], cured["objections"]) == (16, 2)
    assert failed == {"way": "merge", "round": 2, "failed": "the loss became nan"}
    assert isinstance(base["rate"], Estimate)
    assert base["rate"].value == pytest.approx(1 / 3)
    assert "drop" not in base
    assert again["drop"] == Estimate(0, 0, 0)
    assert objections.rows == (
        {"way": "continue", "round": 2, "objections": "recommends less; more empty answers"},
    )
    assert len(training.rows) == 4
    assert (training.rows[0]["its own"], training.rows[0]["kept norm"]) == (15, 0.9)


def test_a_line_for_each_way_ends_where_it_failed(found: Continual) -> None:
    (svg,) = draw_continual(found).values()
    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter()]
    assert {"continue", "merge", "base", "1", "2"} <= set(texts)
    assert "3" not in texts
    empty = Continual((), None, None)
    assert continual_tables(empty) == ()
