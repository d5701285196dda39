"""Runs carry everything that made them, and are resumed only if all of it is the same."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.records import OLDER_MEASURE, Measurement
from ghostbust.store.runs import (
    RatePoint,
    Requests,
    Run,
    RunKind,
    RunStatus,
    is_alive,
    this_process,
)
from ghostbust.store.store import Store
from tests.store.conftest import SPEC, Clock

CODE = Measurement(0.25, (0.2, 0.3), 8, 6, 1, 1, 2, 4, 1.5)
MEASURED = replace(CODE, by_context={"code": CODE})

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store
store = Store.open(Path(sys.argv[1]))
SPEC = RunSpec(RunKind.SWEEP, "made-up-model", None, 7,
               {"temperature": 0.7, "top_k": 20}, {"pypi": "2026-11-23"})
store.runs.start(SPEC)
store.rounds.start(model="made-up-model", method="au", seed=7, settings={})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def dead(store: Store) -> None:
    """A run of a process that has ended."""
    store.runs.start(SPEC)
    with store._connection.write() as connection:
        connection.execute("UPDATE runs SET process = '1:0'")


def test_a_run_keeps_its_whole_provenance(store: Store, clock: Clock) -> None:
    started = clock()
    run_id = store.runs.start(SPEC)
    running = Run(run_id, SPEC, ghostbust.__version__, started, None, RunStatus.RUNNING, None)
    assert store.runs.get(run_id) == running
    finished = clock.step(minutes=3)
    store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    done = replace(running, finished=finished, status=RunStatus.DONE, measurement=MEASURED)
    assert store.runs.get(run_id) == done


def test_a_rate_of_nothing_comes_back_as_nan(store: Store) -> None:
    run_id = store.runs.start(SPEC)
    nothing = Measurement(math.nan, (math.nan, math.nan), 0, 0, 0, 0, 0, 4, 0.0)
    store.runs.finish(run_id, RunStatus.DONE, nothing)
    assert repr(store.runs.get(run_id).measurement) == repr(nothing)


def test_a_measurement_of_an_older_version_has_no_causes(store: Store, clock: Clock) -> None:
    run_id = store.runs.start(SPEC)
    with store._connection.write() as connection:
        connection.execute(
            "UPDATE runs SET measurement = ?",
            (
                '{"rate": 0.5, "ci95": [0.25, 1.0], "refs": 2, "real": 1, "absent": 1,'
                ' "suspect": 0, "unknown": 3, "answers": 1, "volume": 1.0, "by_context": {}}',
            ),
        )
    older = Measurement(0.5, (0.25, 1.0), 2, 1, 1, 0, 3, 1, 1.0)
    assert store.runs.get(run_id).measurement == older


def test_the_newest_runs_are_chosen_by_what_they_are(store: Store, clock: Clock) -> None:
    tuned = replace(SPEC, adapter="round-1", kind=RunKind.WATCH)
    other = replace(SPEC, model="other", kind=RunKind.GATE)
    times = []
    for number, each in enumerate((SPEC, tuned, other, SPEC)):
        times.append(clock.step(hours=1))
        run_id = store.runs.start(each)
        if number < 3:
            store.runs.finish(run_id, RunStatus.DONE, MEASURED if number < 2 else None)

    def ids(limit: int = 100, **which: object) -> list[int]:
        return [run.id for run in store.runs.recent(limit, **which)]  # type: ignore[arg-type]

    assert ids() == ids(-1) == [4, 3, 2, 1]
    assert ids(2) == [4, 3]
    assert ids(kinds=[RunKind.WATCH, RunKind.GATE]) == [3, 2]
    assert ids(1, model=SPEC.model, adapters=[None]) == [4]
    assert ids(adapters=["round-1"]) == [2]
    assert ids(adapters=["round-1", None]) == [4, 3, 2, 1]
    assert ids(adapters=[]) == ids(kinds=[]) == []
    assert ids(status=RunStatus.DONE) == [3, 2, 1]
    assert ids(measured=True) == [2, 1]
    assert ids(since=times[1], until=times[2]) == [3, 2]


def test_a_run_is_finished_once(store: Store) -> None:
    run_id = store.runs.start(SPEC)
    store.runs.finish(run_id, RunStatus.FAILED, None)
    with pytest.raises(StoreError, match="isn't running"):
        store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    with pytest.raises(StoreError, match="no run 99"):
        store.runs.get(99)


def test_a_killed_run_is_marked_found_and_resumed(store: Store, clock: Clock, path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, str(path)], check=False)
    assert killed.returncode == -9
    own = store.runs.start(replace(SPEC, seed=8))
    assert store.runs.find(SPEC, RunStatus.INTERRUPTED) is None, "not marked yet"
    assert store.mark_interrupted() == 2, "the run and the round"
    assert store.mark_interrupted() == 0
    assert store.runs.get(own).status is RunStatus.RUNNING
    run_id = store.runs.find(SPEC, RunStatus.INTERRUPTED)
    assert run_id is not None
    assert store.runs.get(run_id).finished == clock()
    store.runs.resume(run_id)
    assert store.runs.get(run_id).status is RunStatus.RUNNING
    assert store.runs.get(run_id).finished is None
    assert store.mark_interrupted() == 0, "it is this process's now"
    with pytest.raises(StoreError, match="can't be resumed"):
        store.runs.resume(run_id)
    store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    assert store.runs.find(SPEC, RunStatus.INTERRUPTED) is None


def test_the_newest_finished_run_of_a_spec_is_found(store: Store) -> None:
    assert store.runs.find(SPEC, RunStatus.DONE) is None
    assert not store.runs.is_done(SPEC.kind, SPEC.seed)
    for status in (RunStatus.DONE, RunStatus.DONE, RunStatus.FAILED):
        store.runs.finish(store.runs.start(SPEC), status, None)
    store.runs.start(SPEC)
    assert store.runs.find(SPEC, RunStatus.DONE) == 2
    assert store.runs.find(replace(SPEC, seed=8), RunStatus.DONE) is None
    assert store.runs.is_done(SPEC.kind, SPEC.seed)


@pytest.mark.usefixtures("dead")
def test_a_run_of_another_spec_or_version_is_not_resumed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.mark_interrupted()
    changes: list[dict[str, object]] = [
        {"kind": RunKind.WATCH},
        {"model": "another"},
        {"adapter": "round-1"},
        {"seed": 8},
        {"settings": {"temperature": 0.7, "top_k": 21}},
        {"snapshots": {"pypi": "2026-11-24"}},
    ]
    for change in changes:
        other = replace(SPEC, **change)  # type: ignore[arg-type]
        assert store.runs.find(other, RunStatus.INTERRUPTED) is None, change
        of_others = {"model", "adapter"} & change.keys()
        assert len(store.runs.unfinished(other)) == len(of_others), change
    reordered = replace(SPEC, settings=dict(reversed(list(SPEC.settings.items()))))
    assert store.runs.find(reordered, RunStatus.INTERRUPTED) is not None
    monkeypatch.setattr(ghostbust, "__version__", "99.0")
    assert store.runs.find(SPEC, RunStatus.INTERRUPTED) is None


def test_only_ingest_ends_the_runs_of_ingest(store: Store) -> None:
    run_id = store.runs.start(replace(SPEC, kind=RunKind.INGEST))
    store.runs.start(SPEC)
    with store._connection.write() as connection:
        connection.execute("UPDATE runs SET process = '1:0'")
    assert store.mark_interrupted() == 1
    assert store.runs.get(run_id).status is RunStatus.RUNNING
    assert store.runs.mark_interrupted(ingest=True) == 1
    assert store.runs.get(run_id).status is RunStatus.INTERRUPTED


def test_rates_are_the_measured_runs_oldest_first(store: Store, clock: Clock) -> None:
    tuned = replace(SPEC, adapter="round-1", kind=RunKind.WATCH)
    ids = [store.runs.start(s) for s in (SPEC, SPEC, tuned, SPEC)]
    store.runs.finish(ids[0], RunStatus.DONE, MEASURED)
    store.runs.finish(ids[1], RunStatus.FAILED, None)
    at = clock.step(hours=1)
    store.runs.finish(ids[2], RunStatus.DONE, CODE)
    points = store.runs.rates()
    assert [point.run_id for point in points] == [ids[0], ids[2]]
    assert points[1] == RatePoint(
        ids[2],
        RunKind.WATCH,
        "made-up-model",
        "round-1",
        at,
        0.25,
        (0.2, 0.3),
        1.5,
        4,
        "2",
        OLDER_MEASURE,
    )
    assert store.runs.rates(limit=1) == store.runs.rates(5, RunKind.WATCH) == points[1:]
    assert store.runs.rates(model="made-up-model", adapters=[None]) == points[:1]
    assert store.runs.rates(model="other") == []


def test_the_requests_of_a_runs_parts_add_up(store: Store) -> None:
    run_id = store.runs.start(SPEC)
    assert store.runs.requests(run_id) is None
    store.runs.add_requests(run_id, Requests(10, 2, 0.5))
    store.runs.add_requests(run_id, Requests(0, 3, None))
    found = store.runs.requests(run_id)
    assert found == Requests(10, 5, 0.5), "a part without answers says nothing of their time"
    assert found.error_rate == pytest.approx(1 / 3)
    assert Requests(0, 0, None).error_rate == 0


PRINT_OWN = "from ghostbust.store.runs import this_process; print(this_process(), flush=True)"


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    assert is_alive(this_process())
    assert not is_alive(f"{os.getpid()}:1")


def test_a_process_has_ended_even_before_it_is_reaped() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PRINT_OWN + "; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        process = child.stdout.readline().strip()
        assert is_alive(process)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process), "a zombie"
    assert not is_alive(process)
    assert not is_alive(f"{child.pid}:"), "without a start the number alone counts"
    assert is_alive(f"{os.getpid()}:")
    assert is_alive("1:"), "there, though it may be another user's"
