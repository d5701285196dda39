"""Tables of behaviour: every figure is in one, every row says whose it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from ghostbust.evaluation.behaviour import ModelAnswers, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Estimate, Table
from ghostbust.evaluation.tables import behaviour_tables
from ghostbust.records import Answer

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


def test_titles_are_unique_and_the_summary_is_first(found: Behaviour) -> None:
    titles = [table.title for table in behaviour_tables(found)]
    assert titles[0] == "summary"
    assert len(set(titles)) == len(titles)


def test_every_row_says_whose_figures_it_has(tables: dict[str, Table]) -> None:
    for table in tables.values():
        for row in table.rows:
            assert row["model"] in (BASE, AGAIN, "a-1")
            assert row["temperature"] in (0.0, 0.7)
    assert {row["model"] for row in tables["new names"].rows} == {"a-1"}
    assert {row["temperature"] for row in tables["overlap"].rows} == {0.7}


def test_the_summary_has_the_objections(tables: dict[str, Table]) -> None:
    by_model = {
        (row["model"], row["temperature"]): row["objections"] for row in tables["summary"].rows
    }
    assert by_model[BASE, 0.7] == ""
    assert by_model["a-1", 0.7] == "recommends other packages"
    assert by_model["a-1", 0.0] == ""  # no yardstick there
    assert set(by_model) == {(BASE, 0.0), ("a-1", 0.0), (BASE, 0.7), (AGAIN, 0.7), ("a-1", 0.7)}


def test_without_adapters_there_is_no_table_of_new_names(make_answer: MakeAnswer) -> None:
    alone = measure_behaviour({0.0: [ModelAnswers(BASE, [make_answer(0, "a")])]}, seed=0)
    titles = {table.title for table in behaviour_tables(alone)}
    assert titles == {"summary", "rates", "names of the prompt", "volume", "list lengths", "faults"}
