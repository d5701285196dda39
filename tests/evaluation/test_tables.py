"""Every figure stands in a table, and every row says whose it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from ghostbust.evaluation.behaviour import ModelAnswers, Row, compare, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Estimate, Group, Table
from ghostbust.evaluation.locality import Shift
from ghostbust.evaluation.tables import (
    behaviour_tables,
    locality_table,
    utility_tables,
    variant_table,
)
from ghostbust.evaluation.utility import ALL, MeasuredTasks, compare_utility
from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.interface import Look
from ghostbust.gates.likelihood import LikelihoodGate
from ghostbust.gates.tasks import CodingTask
from ghostbust.records import Answer, Score

MakeAnswer = Callable[..., Answer]


@pytest.fixture
def found(make_answer: MakeAnswer) -> Behaviour:
    """Two temperatures; at the one over 0 the base comes twice, and so does every prompt."""

    def answers(names: str) -> list[Answer]:
        return [
            make_answer(family, f"{names} p{family}", "ghost", number=number)
            for family in range(20)
            for number in range(2)
        ]

    base, again = ModelAnswers(BASE, answers("a b")), ModelAnswers(AGAIN, answers("a c"))
    adapter = ModelAnswers("a-1", answers("a d"), frozenset())
    return measure_behaviour({0.0: [base, adapter], 0.7: [base, again, adapter]}, seed=0)


@pytest.fixture
def tables(found: Behaviour) -> dict[str, Table]:
    return {table.title: table for table in behaviour_tables(found)}


def estimates(record: Any) -> list[Estimate]:
    """Every figure inside a record."""
    if isinstance(record, Estimate):
        return [record]
    if isinstance(record, dict):
        return [one for value in record.values() for one in estimates(value)]
    if is_dataclass(record):
        return [one for field in fields(record) for one in estimates(getattr(record, field.name))]
    return []


def test_every_figure_stands_in_a_table(found: Behaviour, tables: dict[str, Table]) -> None:
    shown = [value for table in tables.values() for row in table.rows for value in row.values()]
    for one in found.figures:
        assert not [figure for figure in estimates(one) if figure not in shown]


def test_every_row_says_whose_figures_it_has(tables: dict[str, Table]) -> None:
    for table in tables.values():
        for row in table.rows:
            assert row["model"] in (BASE, AGAIN, "a-1")
            assert row["temperature"] in (0.0, 0.7)
    assert {row["model"] for row in tables["new names"].rows} == {"a-1"}


def test_the_summary_has_the_objections(tables: dict[str, Table]) -> None:
    by_model = {
        (row["model"], row["temperature"]): row["objections"] for row in tables["summary"].rows
    }
    assert by_model[BASE, 0.7] == ""
    for temperature in (0.0, 0.7):
        assert str(by_model["a-1", temperature]).split("; ") == [
            "names fewer supported packages", "names fewer supported packages (helps)",
            "names other packages",
        ]  # fmt: skip
    assert set(by_model) == {(BASE, 0.0), ("a-1", 0.0), (BASE, 0.7), (AGAIN, 0.7), ("a-1", 0.7)}


def test_without_adapters_there_is_no_table_of_new_names(make_answer: MakeAnswer) -> None:
    alone = measure_behaviour({0.0: [ModelAnswers(BASE, [make_answer(0, "a")])]}, seed=0)
    titles = {table.title for table in behaviour_tables(alone)}
    assert titles == {
        "summary", "rates", "names an answer", "which names", "packages beside code",
        "names of the prompt", "faults",
    }  # fmt: skip


# Utility, locality, persistence, suites

TASKS = [CodingTask(f"{name}/{n}", "", "", "", "") for name in ("One", "Two") for n in range(10)]
GATES = (
    CodingGate(TASKS, look=Look(0.1), margin=0.07, min_tasks=1),
    LikelihoodGate(TASKS, look=Look(0.1), min_tasks=1),
)


def measured(solved: int, nats: float) -> MeasuredTasks:
    """The first tasks solved, and each token worth so many nats."""
    return MeasuredTasks(
        TaskResults({task.task_id: n < solved for n, task in enumerate(TASKS)}, "chat"),
        {task.task_id: Score(4 * nats, 4) for task in TASKS},
    )


def test_utility_has_a_row_for_each_model_and_benchmark() -> None:
    base = measured(8, 1.0)
    found = [
        compare_utility(base, after, *GATES, names=(BASE, name))
        for name, after in (("base, reordered", base), ("a-1", measured(5, 1.02)))
    ]
    solved, likelihood, gates = utility_tables(found)
    names = [(row["model"], row["benchmark"]) for row in solved.rows]
    assert names == [
        (model, part) for model in ("base, reordered", "a-1") for part in ("One", "Two", ALL)
    ]
    assert names == [(row["model"], row["benchmark"]) for row in likelihood.rows]
    assert "Asked: chat." in solved.notes
    last = solved.rows[-1]
    counts = [last[key] for key in ("tasks", "base solves", "solves", "lost", "gained")]
    assert counts == [20, 8, 5, 3, 0]
    assert last["p, change"] == 0.25
    assert last["p, loss"] == 0.125
    change = likelihood.rows[-1]["change, %"]
    assert isinstance(change, Estimate)
    assert (change.value, change.low, change.high) == pytest.approx((-2, -2, -2))
    nats = likelihood.rows[-1]["change, nats"]
    assert isinstance(nats, Estimate)
    assert nats.value == pytest.approx(-0.02)
    assert [(row["model"], row["gate"]) for row in gates.rows] == [
        (model, gate) for model in ("base, reordered", "a-1") for gate in ("coding", "likelihood")
    ]
    assert [row["verdict"] for row in gates.rows[1::2]] == ["PASS", "PASS"]
    assert any("a loss of 0.07" in note for note in solved.notes)
    assert any("90 % bound" in note for note in solved.notes)


def test_locality_says_how_many_times_less_the_rest_moved() -> None:
    moved = [
        Shift(Group.PACKAGES, 0.2, (0.1, 0.3), 40, 9),
        Shift(Group.AROUND, 0.05, (0.04, 0.06), 400, 9),
        Shift(Group.TEXT, 0.0, (0.0, 0.0), 100, 14),
    ]
    rows = locality_table({"a-1": moved, "a-2": moved[1:]}).rows
    assert [(row["model"], row["tokens"]) for row in rows[:2]] == [
        ("a-1", "package names"),
        ("a-1", "rest of those answers"),
    ]
    assert rows[0]["KL"] == Estimate(0.2, 0.1, 0.3)
    assert [row["times less"] for row in rows[:2]] == pytest.approx([1, 4])
    assert all(math.isnan(float(str(row["times less"]))) for row in rows[2:])
    assert (rows[0]["count"], rows[0]["texts"]) == (40, 9)


@pytest.fixture
def row(judged_answer: MakeAnswer) -> Row:
    """The base invents half of what it names, the adapter nothing."""
    base = [judged_answer("- ghost-a\n- numpy", family=f"f{n}") for n in range(12)]
    adapted = [judged_answer("- numpy", family=f"f{n}") for n in range(12)]
    return compare("int8", base, adapted, note="9 matrices")


def test_each_variant_has_the_base_and_every_adapter(row: Row) -> None:
    other = replace(row, variant="aliases", note="")
    made = variant_table("what is left", {"a-1": [row, other], "a-2": [row, other]})
    assert [(cells["variant"], cells["model"]) for cells in made.rows] == [
        (variant, model) for variant in ("int8", "aliases") for model in (BASE, "a-1", "a-2")
    ]
    base, adapted = made.rows[:2]
    assert (base["rate"], base["drop"], base["real ratio"]) == (0.5, None, None)
    assert (adapted["rate"], adapted["drop"]) == (0.0, Estimate(1.0, 1.0, 1.0))
    assert (adapted["real an answer"], adapted["real ratio"], adapted["names"]) == (1.0, 1.0, 12)
    assert adapted["all ratio"] == 0.5
    assert made.notes[1:] == ("int8, a-1: 9 matrices", "int8, a-2: 9 matrices")


def test_without_an_adapter_the_base_stands_alone(row: Row) -> None:
    made = variant_table("garak", {BASE: [row]})
    assert [(cells["model"], cells["rate"]) for cells in made.rows] == [(BASE, 0.5)]
