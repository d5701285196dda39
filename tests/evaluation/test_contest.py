"""Runs in one table: a row for each, one for its method, and what failed says so."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.comparisons import (
    SPREAD,
    Contest,
    Cost,
    KnownCode,
    MethodRun,
    contest_tables,
    draw_contest,
    known_code,
)
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Estimate, Spread, Table
from ghostbust.records import Answer, Score

MakeAnswer = Callable[..., Answer]

COST = Cost(answers=20, forget=8, answers_per_step=5, steps=6, tokens=900, looks=2, train_s=3.0)
CODE = KnownCode(nats=Estimate(-0.02, -0.03, -0.01), share=Estimate(-0.01, -0.015, -0.005))


@pytest.fixture
def behaviour(make_answer: MakeAnswer) -> Behaviour:
    """A base that invents in each answer, one adapter that doesn't, and one that half does."""
    base = [make_answer(family, "a b", "ghost") for family in range(12)]
    cured = [make_answer(family, "a b") for family in range(12)]
    half = [make_answer(family, "a b", "ghost" * (family % 2)) for family in range(12)]
    arms = [
        ModelAnswers(BASE, base),
        ModelAnswers(AGAIN, base),
        ModelAnswers("cured", cured),
        ModelAnswers("half", half),
    ]
    return measure_behaviour({0.7: arms}, seed=0)


@pytest.fixture
def contest(behaviour: Behaviour) -> Contest:
    """Two methods with two seeds; the second run of the second one failed."""
    arms = behaviour.of(0.7)

    def run(method: str, seed: int, arm: str, *objections: str) -> MethodRun:
        return MethodRun(method, seed, arm, "", COST, arms[arm], objections, CODE)

    failed = MethodRun("ga", 1, None, "the loss became nan", None, None, (), None)
    runs = (run("au", 0, "cured"), run("ga", 0, "half", "recommends less"),
            run("au", 1, "half", "recommends less", "more empty answers"), failed)  # fmt: skip
    return Contest(runs, arms[AGAIN])


def titled(tables: tuple[Table, ...]) -> dict[str, Table]:
    return {table.title: table for table in tables}


def test_the_summary_has_a_row_for_each_run_one_for_its_method_and_the_yardstick(
    contest: Contest,
) -> None:
    summary = titled(contest_tables(contest))["summary"].rows
    assert [(row["method"], row["seed"]) for row in summary] == [
        ("au", 0), ("au", 1), ("au", "all 2"), ("ga", 0), ("ga", 1), ("ga", "1 of 2"),
        (AGAIN, ""),
    ]  # fmt: skip
    first, second, both, _, failed, one, again = summary
    assert first["drop"] == Estimate(1, 1, 1)
    assert first["volume ratio"] == Estimate(1, 1, 1)
    assert first["likelihood %"] == Estimate(-1, -1.5, -0.5)
    assert (first["objections"], second["objections"]) == (0, 2)
    assert isinstance(second["drop"], Estimate)
    assert second["drop"].value == pytest.approx(0.4)  # 6 of 30 names instead of 12 of 36
    assert both["drop"] == Spread((1 + second["drop"].value) / 2, second["drop"].value, 1)
    assert both["objections"] == Spread(1, 0, 2)
    assert both["seconds"] == Spread(3, 3, 3)
    assert failed == {"method": "ga", "seed": 1, "failed": "the loss became nan"}
    assert one["objections"] == Spread(1, 1, 1), "a run that failed is in no mean"
    assert again["drop"] == Estimate(0, 0, 0)


def test_every_column_of_a_run_is_in_the_row_of_its_method(contest: Contest) -> None:
    summary = titled(contest_tables(contest))["summary"].rows
    assert set(summary[0]) == set(summary[2]) == {"method", "seed", *SPREAD}


def test_a_method_that_failed_with_every_seed_has_no_figures(contest: Contest) -> None:
    failed = contest.runs[-1]
    (summary,) = contest_tables(Contest((failed,), None))
    assert [row["seed"] for row in summary.rows] == [1, "0 of 1"]
    assert {summary.rows[1][column] for column in SPREAD} == {None}


def test_objections_and_costs_stand_in_tables_of_their_own(contest: Contest) -> None:
    tables = titled(contest_tables(contest))
    said = {(row["method"], row["seed"]): row["objections"] for row in tables["objections"].rows}
    assert said == {
        ("au", 1): "recommends less; more empty answers",
        ("ga", 0): "recommends less",
    }
    costs = tables["training"].rows
    assert [(row["method"], row["seed"]) for row in costs] == [("au", 0), ("au", 1), ("ga", 0)]
    assert (costs[0]["answers"], costs[0]["with inventions"], costs[0]["steps"]) == (20, 8, 6)
    assert (costs[0]["tokens"], costs[0]["looks"], costs[0]["seconds"]) == (900, 2, 3.0)
    more = tables["more of each run"].rows[0]
    assert more["likelihood, nats a token"] == CODE.nats
    assert more["more empty"] == Estimate(0, 0, 0)


def test_known_code_is_worked_out_by_task() -> None:
    base = {"a": Score(2.0, 2), "b": Score(6.0, 3)}  # 1 and 2 nats a token
    worse = {"a": Score(3.0, 2), "b": Score(6.0, 3)}  # 1.5 and 2
    found = known_code(base, worse, seed=0)
    assert found is not None
    assert found.nats.value == pytest.approx(-0.25)
    assert found.share.value == pytest.approx(-0.5 / 3)
    assert (found.nats.low, found.nats.high) == (-0.5, 0)
    same = known_code(base, base, seed=0)
    assert same == KnownCode(Estimate(0, 0, 0), Estimate(0, 0, 0))
    better = known_code(worse, base, seed=0)
    assert better is not None
    assert better.share.value > 0
    assert known_code({}, {}, seed=0) is None


def test_the_frontier_names_each_method_once(contest: Contest) -> None:
    drawn = draw_contest(contest)
    assert set(drawn) == {"frontier.svg"}
    root = ElementTree.fromstring(drawn["frontier.svg"])
    said = [node.text.strip() for node in root.iter() if node.text and node.text.strip()]
    assert [said.count(name) for name in ("au", "ga", AGAIN)] == [1, 1, 1]
