"""A crossover stays on the training side of any split; a follow-up quotes what was answered."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

from ghostbust.loop.discovery.forms import (
    AGENT,
    FOLLOW_UP,
    MOST_CHARACTERS,
    PLAIN,
    Parent,
    Request,
    take_apart,
)
from ghostbust.loop.discovery.operators import OPERATORS
from ghostbust.prompts import side_of
from ghostbust.records import Ecosystem, Prompt, Sample, Side

FORM = PLAIN[2]


def parent_of(family: str, task: str, *, private: bool = False) -> Parent:
    text = FORM.fill(Ecosystem.PYPI, task)
    prompt = Prompt(text, FORM.context, Ecosystem.PYPI, family, private=private)
    parent = take_apart(prompt)
    assert parent is not None
    return parent


def cross(one: Parent, other: Parent | None) -> Prompt | None:
    return OPERATORS["crossover"].write(Request(one, AGENT, random.Random(1), mate=other))


def test_a_crossover_holds_both_tasks_and_both_parents() -> None:
    one, other = parent_of("a", "Plot tides."), parent_of("b", "Count birds.", private=True)
    child = cross(one, other)
    assert child is not None
    parts = take_apart(child)
    assert parts is not None
    assert parts.task == "Plot tides, and in the same program: Count birds."
    assert (child.parent, child.other_parent) == (one.prompt.id, other.prompt.id)
    assert child.private, "as private as the more private one"


def test_a_crossover_trains_only_where_both_parents_may_whatever_the_share() -> None:
    families = [f"family-{n}" for n in range(30)]
    for one, other in pairwise(families):
        child = cross(parent_of(one, "Plot tides."), parent_of(other, "Count birds."))
        assert child is not None
        for share in (0.1, 0.25, 0.5, 0.9):
            sides = {side_of(one, share), side_of(other, share)}
            expected = Side.HOLDOUT if Side.HOLDOUT in sides else Side.TRAIN
            assert side_of(child.family, share) is expected


def test_what_can_not_be_crossed() -> None:
    one = parent_of("a", "Plot tides.")
    npm = replace(one, task="Count.", prompt=replace(one.prompt, ecosystem=Ecosystem.NPM))
    assert cross(one, None) is None
    assert cross(one, one) is None
    assert cross(one, npm) is None
    assert cross(one, parent_of("b", "x" * MOST_CHARACTERS)) is None


def test_a_follow_up_stands_behind_the_models_own_answer() -> None:
    parent = parent_of("a", "Plot tides.", private=True)
    answer = Sample(parent.prompt, "1. tideplot", "m", None, 1, 0, 0.7, False, 5)
    operator = OPERATORS["follow-up"]
    child = operator.write(Request(parent, FOLLOW_UP, random.Random(1), answer=answer))
    assert child is not None
    assert child.turns == (parent.prompt.text, "1. tideplot")
    assert (child.family, child.parent, child.private) == ("a", parent.prompt.id, True)
    assert child.expects_list
    assert "{" not in child.text
    assert operator.write(Request(parent, FOLLOW_UP, random.Random(1))) is None
    empty = replace(answer, text=" \n")
    assert operator.write(Request(parent, FOLLOW_UP, random.Random(1), answer=empty)) is None
