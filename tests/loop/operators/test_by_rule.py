"""Rules write a new prompt of the same family without asking a model."""

from __future__ import annotations

import random

import pytest

from ghostbust.loop.discovery.forms import (
    AGENT,
    EVERY,
    MOST_CHARACTERS,
    PIN,
    PLAIN,
    Form,
    Parent,
    Request,
    take_apart,
)
from ghostbust.loop.discovery.operators import FIELDS, OPERATORS
from ghostbust.records import Ecosystem, Prompt

TASK = "Plot the readings of a weather station."
FORM = PLAIN[2]


def parent_of(task: str = TASK, form: Form = FORM) -> Parent:
    text = form.fill(Ecosystem.PYPI, task)
    parent = take_apart(Prompt(text, form.context, Ecosystem.PYPI, "family", "weather"))
    assert parent is not None
    return parent


def ask(
    parent: Parent, form: Form, ecosystems: tuple[Ecosystem, ...] = (Ecosystem.PYPI,)
) -> Request:
    return Request(parent, form, random.Random(1), ecosystems=ecosystems)


@pytest.mark.parametrize("name", ["reword", "pin", "agent", "alias"])
def test_the_same_task_in_another_wording(name: str) -> None:
    operator, parent = OPERATORS[name], parent_of()
    for form in operator.forms:
        child = operator.write(ask(parent, form))
        if form == parent.form:
            assert child is None
            continue
        assert child is not None
        assert child.text == form.fill(Ecosystem.PYPI, TASK)
        assert (child.context, child.operator, child.parent) == (
            form.context, name, parent.prompt.id,
        )  # fmt: skip
        assert (child.family, child.domain) == ("family", "weather")


@pytest.mark.parametrize("name", ["rarer", "newer", "field"])
def test_one_more_sentence_and_never_a_second_of_its_kind(name: str) -> None:
    operator = OPERATORS[name]
    child = operator.write(ask(parent_of(), AGENT))
    assert child is not None
    parts = take_apart(child)
    assert parts is not None
    assert parts.form == AGENT
    assert parts.task.startswith(TASK + " ")
    assert operator.write(ask(parts, AGENT)) is None
    assert operator.write(ask(parent_of("x " * MOST_CHARACTERS), AGENT)) is None


def test_a_sentence_that_lacks_its_end_gets_one() -> None:
    child = OPERATORS["field"].write(ask(parent_of("Plot the readings"), PIN))
    assert child is not None
    assert "Plot the readings. It is for" in child.text


def test_fields_differ() -> None:
    assert len(set(FIELDS)) == len(FIELDS)


def test_another_ecosystem_only_where_its_registry_can_say_no() -> None:
    operator, parent = OPERATORS["ecosystem"], parent_of()
    assert operator.write(ask(parent, FORM)) is None
    child = operator.write(ask(parent, FORM, (Ecosystem.PYPI, Ecosystem.NPM)))
    assert child is not None
    assert (child.ecosystem, child.parent) == (Ecosystem.NPM, parent.prompt.id)
    assert child.text == FORM.fill(Ecosystem.NPM, TASK)


def test_every_operator_has_forms_and_a_name_of_its_own() -> None:
    for name, operator in OPERATORS.items():
        assert operator.name == name
        assert operator.forms
    assert {"paraphrase", "narrower", "broader", "neighbour", "ecosystem", "rarer", "alias",
            "newer", "pin", "follow-up", "agent", "crossover"} <= set(OPERATORS)  # fmt: skip
    assert {form.name for o in OPERATORS.values() for form in o.forms} >= {f.name for f in EVERY}
