"""Runs carry everything that made them, and are gone on with only if all of it is the same."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.records import Measurement
from ghostbust.store.rows import RatePoint, Run, RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock

CODE = Measurement(0.25, (0.2, 0.3), 8, 6, 1, 1, 2, 4, 1.5)
MEASURED = replace(CODE, by_context={"code": CODE})

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from ghostbust.store import RunKind, RunSpec, Store
store = Store.open(Path(sys.argv[1]))
spec = RunSpec(RunKind.SWEEP, "made-up-model", None, 7,
               {"temperature": 0.7, "top_k": 20}, {"pypi": "2026-11-23"})
store.runs.start(spec)
store.rounds.start(model="made-up-model", method="au", seed=7, settings={})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(path: Path, store: Store) -> None:
    """One run and one round of a process that was killed."""
    died = subprocess.run([sys.executable, "-c", KILLED_RUN, str(path)], check=False)
    assert died.returncode == -9


def test_a_run_keeps_its_whole_provenance(store: Store, spec: RunSpec, clock: Clock) -> None:
    started = clock()
    run_id = store.runs.start(spec)
    running = Run(run_id, spec, ghostbust.__version__, started, None, RunStatus.RUNNING, None)
    assert store.runs.get(run_id) == running
    finished = clock.step(minutes=3)
    store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    done = replace(running, finished=finished, status=RunStatus.DONE, measurement=MEASURED)
    assert store.runs.get(run_id) == done


def test_a_rate_of_nothing_comes_back_as_nan(store: Store, spec: RunSpec) -> None:
    run_id = store.runs.start(spec)
    nothing = Measurement(math.nan, (math.nan, math.nan), 0, 0, 0, 0, 0, 4, 0.0)
    store.runs.finish(run_id, RunStatus.DONE, nothing)
    measurement = store.runs.get(run_id).measurement
    assert measurement is not None
    assert math.isnan(measurement.rate)
    assert all(math.isnan(bound) for bound in measurement.ci95)
    assert measurement.answers == 4


def test_recent_runs_come_newest_first(store: Store, spec: RunSpec) -> None:
    ids = [store.runs.start(spec) for _ in range(3)]
    assert [run.id for run in store.runs.recent(2)] == [ids[2], ids[1]]


def test_a_run_is_finished_once(store: Store, spec: RunSpec) -> None:
    run_id = store.runs.start(spec)
    store.runs.finish(run_id, RunStatus.FAILED, None)
    with pytest.raises(StoreError, match="isn't running"):
        store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    with pytest.raises(StoreError, match="no run 99"):
        store.runs.get(99)


def test_own_runs_are_not_interrupted(store: Store, spec: RunSpec) -> None:
    store.runs.start(spec)
    assert store.mark_interrupted() == 0


@pytest.mark.usefixtures("killed")
def test_a_killed_run_is_marked_found_and_resumed(
    store: Store, spec: RunSpec, clock: Clock
) -> None:
    assert store.runs.find_unfinished(spec) is None, "not marked yet"
    assert store.mark_interrupted() == 2, "the run and the round"
    assert store.mark_interrupted() == 0
    run_id = store.runs.find_unfinished(spec)
    assert run_id is not None
    assert store.runs.get(run_id).finished == clock()
    store.runs.resume(run_id)
    assert store.runs.get(run_id).status is RunStatus.RUNNING
    assert store.runs.get(run_id).finished is None
    assert store.mark_interrupted() == 0, "it is this process's now"
    with pytest.raises(StoreError, match="can't be resumed"):
        store.runs.resume(run_id)
    store.runs.finish(run_id, RunStatus.DONE, MEASURED)
    assert store.runs.find_unfinished(spec) is None


def test_the_newest_finished_run_of_a_spec_is_found(store: Store, spec: RunSpec) -> None:
    assert store.runs.find_done(spec) is None
    for status in (RunStatus.DONE, RunStatus.DONE, RunStatus.FAILED):
        store.runs.finish(store.runs.start(spec), status, None)
    store.runs.start(spec)
    assert store.runs.find_done(spec) == 2
    assert store.runs.find_done(replace(spec, seed=8)) is None


@pytest.mark.usefixtures("killed")
@pytest.mark.parametrize(
    "change",
    [
        {"kind": RunKind.WATCH},
        {"model": "another"},
        {"adapter": "round-1"},
        {"seed": 8},
        {"settings": {"temperature": 0.7, "top_k": 21}},
        {"snapshots": {"pypi": "2026-11-24"}},
    ],
)
def test_a_run_of_another_spec_is_not_gone_on_with(
    store: Store, spec: RunSpec, change: dict[str, object]
) -> None:
    store.mark_interrupted()
    other = replace(spec, **change)  # type: ignore[arg-type]
    assert store.runs.find_unfinished(other) is None
    reordered = replace(spec, settings=dict(reversed(list(spec.settings.items()))))
    assert store.runs.find_unfinished(reordered) is not None


@pytest.mark.usefixtures("killed")
def test_a_run_of_another_version_is_not_gone_on_with(
    store: Store, spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.mark_interrupted()
    monkeypatch.setattr(ghostbust, "__version__", "99.0")
    assert store.runs.find_unfinished(spec) is None


def test_rates_are_the_measured_runs_oldest_first(
    store: Store, spec: RunSpec, clock: Clock
) -> None:
    tuned = replace(spec, adapter="round-1", kind=RunKind.WATCH)
    ids = [store.runs.start(s) for s in (spec, spec, tuned, spec)]
    store.runs.finish(ids[0], RunStatus.DONE, MEASURED)
    store.runs.finish(ids[1], RunStatus.FAILED, None)
    at = clock.step(hours=1)
    store.runs.finish(ids[2], RunStatus.DONE, CODE)
    points = store.runs.rates()
    assert [point.run_id for point in points] == [ids[0], ids[2]]
    assert points[1] == RatePoint(
        ids[2], RunKind.WATCH, "made-up-model", "round-1", at, 0.25, (0.2, 0.3), 1.5, 4, "2"
    )
    assert store.runs.rates(limit=1) == points[1:]
