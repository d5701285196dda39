"""A round's sets come back as they were, judged as they were, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.records import SetSplit
from ghostbust.store.rounds import sets_id
from ghostbust.store.rows import RunKind, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import MakeAnswer


@pytest.fixture
def round_id(store: Store) -> int:
    return store.rounds.start(model="m", method="au", seed=0, settings={})


@pytest.fixture
def sets(store: Store, make_answer: MakeAnswer) -> SetSplit:
    run_id = store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 1))
    one, two, three = (make_answer(task=task) for task in ("c", "a", "b"))
    store.answers.add(run_id, [one, two, three])
    return SetSplit((one,), (three, two), (), (two.sample.prompt,), (three, one, two))


def test_they_come_back_in_their_order(store: Store, round_id: int, sets: SetSplit) -> None:
    assert store.round_sets.get(round_id, ()) is None
    store.round_sets.keep(round_id, sets)
    assert store.round_sets.get(round_id, ()) == sets
    holdout = (sets.probe[0],)
    again = store.round_sets.get(round_id, holdout)
    assert again is not None
    assert again.holdout == holdout
    assert sets_id(again) == sets_id(replace(sets, holdout=holdout))


def test_they_are_judged_as_they_were(store: Store, round_id: int, sets: SetSplit) -> None:
    store.round_sets.keep(round_id, sets)
    run_id = store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 2))
    store.answers.add(run_id, [replace(sets.forget[0], judged=())])
    assert store.round_sets.get(round_id, ()) == sets


def test_later_ones_take_their_place(store: Store, round_id: int, sets: SetSplit) -> None:
    store.round_sets.keep(round_id, sets)
    fewer = replace(sets, retain=(), probe=())
    store.round_sets.keep(round_id, fewer)
    assert store.round_sets.get(round_id, ()) == fewer


@pytest.mark.parametrize("table", ["samples", "prompts"])
def test_where_a_text_is_gone_there_are_none(
    store: Store, round_id: int, sets: SetSplit, table: str
) -> None:
    store.round_sets.keep(round_id, sets)
    store._connection._db.execute(f"UPDATE {table} SET text = NULL WHERE rowid = 1")
    assert store.round_sets.get(round_id, ()) is None
