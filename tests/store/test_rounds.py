"""A round's states, sets, candidate and gates are there as they were noted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict, SetSplit
from ghostbust.store.rounds import AdapterRow, Round, RoundState
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer

CANDIDATE = Candidate(
    name="round-0001-1a2b3c4d",
    path=Path("adapters/round-0001-1a2b3c4d"),
    model="made-up-model",
    method="au",
    seed=7,
    steps=12,
    final_loss=0.5,
    train_s=3.25,
)
PASSED = GateResult(
    gate="hallucination",
    verdict=GateVerdict.PASS,
    reason="it fell",
    base=0.3,
    candidate=0.1,
    ci=(0.5, 0.8),
    margin="drop >= 0.5",
    details={"drop": 0.6, "seed": 7, "note": "ok"},
)
NOT_RUN = GateResult(
    "coding", GateVerdict.INCONCLUSIVE, "not run", None, None, None, "falls <= 0.05"
)


@pytest.fixture
def round_id(store: Store) -> int:
    return store.rounds.start(model="made-up-model", method="au", seed=7, settings={"lr": 2e-4})


def test_a_round_goes_from_start_to_promoted(
    store: Store, round_id: int, clock: Clock, make_answer: MakeAnswer
) -> None:
    started = Round(
        id=1,
        model="made-up-model",
        method="au",
        seed=7,
        settings={"lr": 2e-4},
        version=ghostbust.__version__,
        state=RoundState.STARTED,
        reason="",
        started=clock(),
        updated=clock(),
        forget=None,
        retain=None,
        holdout=None,
        sets_id=None,
        adapter=None,
        verdict=None,
    )
    assert store.rounds.get(round_id) == started
    clock.step(minutes=1)
    answers = [make_answer(task=task) for task in "abc"]
    store.rounds.add_sets(
        round_id, SetSplit(tuple(answers[:2]), tuple(answers[2:]), (answers[0].sample.prompt,))
    )
    selected = store.rounds.get(round_id)
    assert selected == replace(
        started,
        state=RoundState.SELECTED,
        updated=clock(),
        forget=2,
        retain=1,
        holdout=1,
        sets_id=selected.sets_id,
    )
    store.rounds.add_candidate(round_id, CANDIDATE)
    assert store.rounds.get(round_id) == replace(
        selected, state=RoundState.TRAINED, adapter=CANDIDATE.name
    )
    store.rounds.add_gate_report(round_id, GateReport(CANDIDATE.name, (PASSED,)))
    assert store.rounds.get(round_id).state is RoundState.GATED
    store.rounds.set_state(round_id, RoundState.PROMOTED, "every gate passed")
    promoted = store.rounds.get(round_id)
    assert (promoted.state, promoted.reason) == (RoundState.PROMOTED, "every gate passed")
    assert promoted.verdict is GateVerdict.PASS


def test_the_sets_id_tells_sets_apart_and_nothing_else(
    store: Store, make_answer: MakeAnswer
) -> None:
    one, two, three = (make_answer(task=task) for task in "abc")

    def sets_id(sets: SetSplit) -> str | None:
        round_id = store.rounds.start(model="m", method="au", seed=0, settings={})
        store.rounds.add_sets(round_id, sets)
        return store.rounds.get(round_id).sets_id

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
    second = store.rounds.start(model="m", method="au", seed=8, settings={})
    with pytest.raises(StoreError, match=CANDIDATE.name):
        store.rounds.add_candidate(second, CANDIDATE)
    assert store.rounds.get(second).state is RoundState.STARTED, "nothing of it was kept"
    with pytest.raises(StoreError, match="has an adapter already"):
        store.rounds.add_candidate(round_id, replace(CANDIDATE, name="another"))


def test_a_gate_report_comes_back_and_is_replaced(store: Store, round_id: int) -> None:
    assert store.rounds.gate_report(round_id) is None
    for results in ((PASSED, NOT_RUN), (NOT_RUN,)):
        report = GateReport(CANDIDATE.name, results)
        store.rounds.add_gate_report(round_id, report)
        assert store.rounds.gate_report(round_id) == report


def test_an_unknown_round_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="no round 9"):
        store.rounds.set_state(9, RoundState.REJECTED)
    with pytest.raises(StoreError, match="no round 9"):
        store.rounds.get(9)


KILLED_ROUNDS = """
import os, signal, sys
from pathlib import Path
from ghostbust.store import RoundState, Store
store = Store.open(Path(sys.argv[1]))
for state in RoundState:
    round_id = store.rounds.start(model="m", method="au", seed=0, settings={})
    store.rounds.set_state(round_id, state)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_only_open_rounds_of_a_killed_process_fail(store: Store, round_id: int, path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_ROUNDS, str(path)], check=False)
    assert died.returncode == -9
    assert store.mark_interrupted() == 5
    states = [found.state for found in store.rounds.recent() if found.id != round_id]
    expected = [RoundState.FAILED if state.is_open else state for state in RoundState]
    assert states == expected[::-1]
    assert store.rounds.get(round_id).state is RoundState.STARTED, "this process's own"
    assert [found.id for found in store.rounds.recent(1)] == [round_id + len(RoundState)]


def test_only_rounds_of_the_model_that_were_gated_are_counted(store: Store) -> None:
    def start(model: str) -> int:
        return store.rounds.start(model=model, method="au", seed=7, settings={})

    assert store.rounds.gated("a") == 0
    first, second, other = start("a"), start("a"), start("b")
    store.rounds.add_gate_report(first, GateReport("one", (NOT_RUN,)))
    store.rounds.set_state(first, RoundState.REJECTED)
    store.rounds.set_state(second, RoundState.FAILED, "out of memory")
    store.rounds.add_gate_report(other, GateReport("two", (PASSED,)))
    start("a")
    assert (store.rounds.gated("a"), store.rounds.gated("b"), store.rounds.gated("c")) == (1, 1, 0)
