"""Runs beside each other in tables and plots: methods, rounds, ways to search; failures said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.comparisons import (
    SPREAD,
    Contest,
    Continual,
    Cost,
    KnownCode,
    Lesson,
    MethodRun,
    OperatorUses,
    RoundRun,
    SearchComparison,
    SearchPoint,
    SearchRun,
    Untrained,
    contest_tables,
    continual_tables,
    draw_contest,
    draw_continual,
    draw_search,
    known_code,
    search_tables,
)
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Estimate, Spread, Table
from ghostbust.evaluation.ways import Search, Way
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
    assert first["supported"] == Estimate(1, 1, 1)
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


def test_a_comparator_is_one_row_without_a_seed(contest: Contest, behaviour: Behaviour) -> None:
    half = behaviour.of(0.7)["half"]
    tables = titled(contest_tables(replace(contest, untrained=(Untrained(half, ("a", "b")),))))
    *_, row, again = tables["summary"].rows
    assert (row["method"], row["seed"], row["objections"]) == ("half", "", 2)
    assert half.change is not None
    assert row["drop"] == half.change.drop
    assert again["method"] == AGAIN
    assert tables["objections"].rows[-1] == {"method": "half", "seed": "", "objections": "a; b"}
    assert tables["more of each run"].rows[-1]["rate"] == half.rate
    assert [row["method"] for row in tables["training"].rows] == ["au", "au", "ga"]


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


# Ways to go on from round to round

LESSON = Lesson(answers=20, forget=8, own=15, steps=6, train_s=3.0, rank=16, kept_norm=0.9)


@pytest.fixture
def found(behaviour: Behaviour) -> Continual:
    """Two ways: one halves the rate and then cures, the other fails in its second round."""
    of = behaviour.of(0.7)

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


# Ways to search


def search(way: Search, seed: int, names: int, tokens: int = 10, answers: int = 20) -> SearchRun:
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
        search(Search.UNIFORM, 0, 1),
        search(Search.UNIFORM, 1, 2),
        search(Search.ADAPTIVE, 0, 3, tokens=20, answers=11),
        search(Search.ADAPTIVE, 1, 2, answers=25),
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
    nothing = SearchComparison((search(Search.UNIFORM, 0, 0), search(Search.ADAPTIVE, 0, 1)))
    rows = search_tables(nothing)[0].rows
    assert rows[1]["names ratio"] is None
    assert rows[3]["names ratio"] is None
    assert search(Search.UNIFORM, 0, 1).at(5) == SearchPoint(0, 0, 0, 0)
    assert SearchRun(Search.UNIFORM, 0, ()).tokens == 0


def test_the_curve_has_a_line_for_each_run() -> None:
    pytest.importorskip("matplotlib")
    (svg,) = draw_search(FOUND).values()
    for text in ("uniform", "adaptive", "tokens generated", "distinct invented names"):
        assert text in svg
    assert svg.count("#1f6feb") >= 4
