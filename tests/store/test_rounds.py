"""A round's states, sets, candidate and gates come back as they were stored."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict, SetSplit
from ghostbust.store.rounds import AdapterRow, Round, RoundState, sets_id
from ghostbust.store.store import Store
from tests.store.conftest import Clock, log, make_answer

CANDIDATE = Candidate(
    "round-0001-1a2b3c4d", Path("adapters/round-0001-1a2b3c4d"), "made-up-model", "au", 7, 12, 0.5,
    3.25,
)  # fmt: skip
PASSED = GateResult(
    "hallucination", GateVerdict.PASS, "it fell", 0.3, 0.1, (0.5, 0.8), "drop >= 0.5",
    {"drop": 0.6, "seed": 7, "note": "ok"},
)  # fmt: skip
NOT_RUN = GateResult(
    "coding", GateVerdict.INCONCLUSIVE, "not run", None, None, None, "falls <= 0.05"
)


def start(store: Store, model: str = "made-up-model", plan: dict[str, object] | None = None) -> int:
    return store.rounds.start(model=model, method="au", seed=7, settings={"lr": 2e-4}, plan=plan)


@pytest.fixture
def round_id(store: Store) -> int:
    return start(store)


def test_a_round_goes_from_start_to_promoted(store: Store, round_id: int, clock: Clock) -> None:
    started = Round(
        1, "made-up-model", "au", 7, {"lr": 2e-4}, ghostbust.__version__, RoundState.STARTED, "",
        clock(), clock(), forget=None, retain=None, holdout=None, sets_id=None, adapter=None,
        verdict=None,
    )  # fmt: skip
    assert store.rounds.get(round_id) == started
    clock.step(minutes=1)
    one, two, three = (make_answer(task) for task in "abc")
    sets = SetSplit((one, two), (three,), (one.sample.prompt,))
    store.rounds.add_sets(round_id, sets)
    selected = replace(
        started,
        state=RoundState.SELECTED,
        updated=clock(),
        forget=2,
        retain=1,
        holdout=1,
        sets_id=sets_id(sets),
    )
    assert store.rounds.get(round_id) == selected
    store.rounds.add_candidate(round_id, CANDIDATE)
    trained = replace(selected, state=RoundState.TRAINED, adapter=CANDIDATE.name)
    assert store.rounds.get(round_id) == trained
    store.rounds.add_gate_report(round_id, GateReport(CANDIDATE.name, (PASSED,)))
    gated = replace(trained, state=RoundState.GATED, verdict=GateVerdict.PASS)
    assert store.rounds.get(round_id) == gated
    store.rounds.set_state(round_id, RoundState.PROMOTED, "every gate passed")
    promoted = replace(gated, state=RoundState.PROMOTED, reason="every gate passed")
    assert store.rounds.get(round_id) == promoted
    store.rounds.explain(round_id, "why")
    assert store.rounds.get(round_id).reason == "why"


def test_the_sets_id_tells_sets_apart_and_nothing_else() -> None:
    one, two, three = (make_answer(task) for task in "abc")
    same = sets_id(SetSplit((one, two), (three,), ()))
    assert sets_id(SetSplit((two, one), (three,), ())) == same
    assert sets_id(SetSplit((one,), (two, three), ())) != same
    assert sets_id(SetSplit((one, two), (three,), (one.sample.prompt,))) != same


def test_an_adapter_is_listed_with_its_round_and_verdict(
    store: Store, round_id: int, clock: Clock
) -> None:
    store.rounds.add_candidate(round_id, CANDIDATE)
    row = AdapterRow(CANDIDATE, round_id, ghostbust.__version__, clock(), None)
    assert store.rounds.adapters() == [row]
    assert store.rounds.adapter(CANDIDATE.name) == row
    assert store.rounds.adapter("round-9999") is None
    store.rounds.add_gate_report(round_id, GateReport(CANDIDATE.name, (PASSED, NOT_RUN)))
    assert store.rounds.adapters() == [replace(row, verdict=GateVerdict.INCONCLUSIVE)]


def test_adapter_names_are_not_reused(store: Store, round_id: int) -> None:
    store.rounds.add_candidate(round_id, CANDIDATE)
    second = start(store)
    with pytest.raises(StoreError, match=CANDIDATE.name):
        store.rounds.add_candidate(second, CANDIDATE)
    assert store.rounds.get(second).state is RoundState.STARTED, "nothing of it was kept"
    with pytest.raises(StoreError, match="has an adapter already"):
        store.rounds.add_candidate(round_id, replace(CANDIDATE, name="another"))


def test_a_gate_report_comes_back_and_is_replaced(store: Store, round_id: int) -> None:
    assert store.rounds.gate_report(round_id) is None
    # Details keep their order and may be undefined.
    odd = replace(PASSED, details={"z": math.nan, "a": 1})
    for results in ((PASSED, NOT_RUN), (odd,), (NOT_RUN,)):
        report = GateReport(CANDIDATE.name, results)
        store.rounds.add_gate_report(round_id, report)
        assert repr(store.rounds.gate_report(round_id)) == repr(report)


def test_an_unknown_round_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="no round 9"):
        store.rounds.set_state(9, RoundState.REJECTED)
    with pytest.raises(StoreError, match="no round 9"):
        store.rounds.get(9)


def test_open_rounds_of_a_dead_process_fail_unless_they_have_a_plan(store: Store) -> None:
    for state in RoundState:
        store.rounds.set_state(start(store), state)
    planned = [start(store, plan={"n": n}) for n in range(2)]
    with store._connection.write() as connection:
        connection.execute("UPDATE rounds SET process = '1:0'")
    own = start(store)
    assert store.mark_interrupted() == 5
    states = [found.state for found in store.rounds.recent() if found.id <= len(RoundState)]
    expected = [RoundState.FAILED if state.is_open else state for state in RoundState]
    assert states == expected[::-1]
    assert store.rounds.get(own).state is RoundState.STARTED, "this process's own"
    assert [found.id for found in store.rounds.recent(1)] == [own]
    assert store.rounds.interrupted("other") is None
    left = store.rounds.interrupted("made-up-model")
    assert left is not None
    assert (left.id, left.plan, left.attempts) == (planned[1], {"n": 1}, 1)

    store.rounds.resume(left.id)
    assert store.rounds.get(left.id).attempts == 2
    other = store.rounds.interrupted("made-up-model")
    assert other is not None
    assert other.id == planned[0], "the resumed one is this process's"
    store.rounds.put_down(left.id)
    assert store.rounds.interrupted("made-up-model") == left


def test_only_rounds_of_the_model_that_were_gated_are_counted(store: Store) -> None:
    assert store.rounds.gated("a") == 0
    first, second, other = start(store, "a"), start(store, "a"), start(store, "b")
    store.rounds.add_gate_report(first, GateReport("one", (NOT_RUN,)))
    store.rounds.set_state(first, RoundState.REJECTED)
    store.rounds.set_state(second, RoundState.FAILED, "out of memory")
    store.rounds.add_gate_report(other, GateReport("two", (PASSED,)))
    start(store, "a")
    assert [store.rounds.gated(model) for model in "abc"] == [1, 1, 0]


@pytest.fixture
def sets(store: Store) -> SetSplit:
    one, two, three = (make_answer(task) for task in ("c", "a", "b"))
    log(store, one, two, three)
    return SetSplit((one,), (three, two), (), (two.sample.prompt,), (three, one, two))


def test_a_rounds_sets_come_back_in_their_order(
    store: Store, round_id: int, sets: SetSplit
) -> None:
    assert store.round_sets.get(round_id, ()) is None
    store.round_sets.keep(round_id, sets)
    assert store.round_sets.get(round_id, ()) == sets
    assert store.round_sets.get(round_id, sets.probe) == replace(sets, holdout=sets.probe)
    log(store, replace(sets.forget[0], judged=()))
    assert store.round_sets.get(round_id, ()) == sets, "judged as they were"
    fewer = replace(sets, retain=(), probe=())
    store.round_sets.keep(round_id, fewer)
    assert store.round_sets.get(round_id, ()) == fewer, "in place of the earlier ones"


@pytest.mark.parametrize("table", ["samples", "prompts"])
def test_a_round_has_no_sets_where_one_of_their_texts_was_deleted(
    store: Store, round_id: int, sets: SetSplit, table: str
) -> None:
    store.round_sets.keep(round_id, sets)
    store._connection._db.execute(f"UPDATE {table} SET text = NULL WHERE rowid = 1")
    assert store.round_sets.get(round_id, ()) is None
