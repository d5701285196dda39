"""What people said of names: the last decision counts, all stay, and allowed names don't train."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import StoreError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.rows import Decision, RunKind, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer

PYPI = Ecosystem.PYPI


def test_the_last_decision_counts_and_all_stay(
    store: Store, make_answer: MakeAnswer, clock: Clock
) -> None:
    _log(store, make_answer)
    store.reviews.add(PYPI, "ghost", Decision.IGNORE, "noise")
    clock.step(minutes=1)
    store.reviews.add(PYPI, "ghost", Decision.ALLOW, "ours")

    assert [(r.decision, r.reason) for r in store.reviews.of(PYPI, "ghost")] == [
        (Decision.ALLOW, "ours"), (Decision.IGNORE, "noise"),
    ]  # fmt: skip
    assert store.reviews.recent(1)[0].at == clock()
    assert store.reviews.allowed() == {(PYPI, "ghost")}


def test_reopening_takes_it_back(store: Store, make_answer: MakeAnswer) -> None:
    _log(store, make_answer)
    store.reviews.add(PYPI, "ghost", Decision.ALLOW, "ours")
    store.reviews.add(PYPI, "ghost", Decision.REOPEN, "not ours")

    assert store.reviews.allowed() == frozenset()
    assert store.name_pages.page().lines[0].review is None


def test_a_name_that_is_not_in_the_ledger_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no name 'ghost'"):
        store.reviews.add(PYPI, "ghost", Decision.ACCEPT, "why")
    assert store.reviews.recent() == []


def test_what_is_allowed_is_unknown_to_training_and_as_it_was_to_its_run(
    store: Store, make_answer: MakeAnswer
) -> None:
    run_id = _log(store, make_answer)
    store.reviews.add(PYPI, "ghost", Decision.ALLOW, "ours")

    (trains,) = store.answers.read()
    assert trains.invented == []
    assert [one.lookup.reason for one in trains.judged if one.lookup.name == "ghost"] == ["allowed"]
    (ran,) = store.answers.read(run_id=run_id)
    assert ran.names(Verdict.ABSENT) == ["ghost"]


def _log(store: Store, make_answer: MakeAnswer) -> int:
    run_id = store.runs.start(RunSpec(RunKind.WATCH, "m", None, 1))
    store.answers.add(run_id, [make_answer(absent=("ghost",))])
    return run_id
