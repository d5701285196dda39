"""Each breach is seen where it was made, and none where all is well."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.loop.fault_checks import (
    breaches_at_once,
    breaches_of_rollback,
    breaches_of_round,
    breaches_of_watch,
    count_answers,
)
from ghostbust.loop.promote import promote, roll_back
from ghostbust.publishers.directory import POINTER, publish
from ghostbust.records import GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.conftest import FillHome


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    folder = tmp_path / "replica"
    folder.mkdir()
    return folder


@pytest.fixture
def promoted(home: Home, store: Store, replica: Path, fill_home: FillHome) -> str:
    """A home with one round, promoted once, in which all is well."""
    name = fill_home(home)
    connection = store._connection._db
    connection.execute("DELETE FROM promotions")
    report = GateReport(name, (GateResult("g", GateVerdict.PASS, "", None, None, None, ""),))
    promote(store, home, name, report, "it passed")
    shutil.copytree(home.adapters / name, replica / name)
    publish(replica / POINTER, replica / name)
    return name


def of_round(home: Home, replica: Path) -> list[str]:
    logged = count_answers(home)
    return list(breaches_of_round(home, replica, logged, RoundState.PROMOTED))


def test_where_all_is_well_nothing_is_said(home: Home, replica: Path, promoted: str) -> None:
    assert list(breaches_at_once(home, replica)) == []
    assert of_round(home, replica) == []


def halve(home: Home, store: Store, replica: Path, name: str) -> None:
    (home.adapters / name / "ghostbust.json").unlink()


def halve_the_copy(home: Home, store: Store, replica: Path, name: str) -> None:
    (replica / name / "adapter_config.json").write_text("{ ", "utf-8")


def promote_twice(home: Home, store: Store, replica: Path, name: str) -> None:
    store.promotions.add(store.promotions.all()[0])


def lose_the_pointer(home: Home, store: Store, replica: Path, name: str) -> None:
    home.deployed.unlink()


def leave_a_folder(home: Home, store: Store, replica: Path, name: str) -> None:
    (home.adapters / ".round-0002-bb.part").mkdir()


def begin_another(home: Home, store: Store, replica: Path, name: str) -> None:
    store.rounds.start(model="m", method="au", seed=0, settings={})


def leave_a_run(home: Home, store: Store, replica: Path, name: str) -> None:
    store.runs.start(RunSpec(RunKind.GATE, "m", None, 0))


def count_wrongly(home: Home, store: Store, replica: Path, name: str) -> None:
    store._connection._db.execute("UPDATE names SET times_seen = times_seen + 1 WHERE id = 1")


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (halve, "not a complete ghostbust adapter"),
        (halve_the_copy, "was changed after training"),
        (promote_twice, "2 moves of the pointer"),
        (lose_the_pointer, "deployed.json names None"),
        (leave_a_folder, "left over"),
        (begin_another, "rounds are"),
        (leave_a_run, "came to no end"),
        (count_wrongly, "1 names are counted wrongly"),
    ],
)
def test_each_breach_is_seen(
    home: Home, store: Store, replica: Path, promoted: str, breach: Callable[..., None], said: str
) -> None:
    breach(home, store, replica, promoted)
    assert said in "; ".join(of_round(home, replica))


def test_lost_answers_are_seen(home: Home, replica: Path, promoted: str) -> None:
    logged = count_answers(home) + 1
    found = breaches_of_round(home, replica, logged, RoundState.PROMOTED)
    assert list(found) == ["answers are lost"]


def test_a_rollback_has_to_be_whole_and_once(
    home: Home, store: Store, replica: Path, promoted: str
) -> None:
    logged = count_answers(home)
    assert len(list(breaches_of_rollback(home, replica, logged))) == 4
    roll_back(store, home, "a trial")
    assert list(breaches_of_rollback(home, replica, logged)) == [
        f"{POINTER} names {promoted}, not None"
    ]
    (replica / POINTER).write_text(json.dumps({"adapter": None, "path": None}), "utf-8")
    assert list(breaches_of_rollback(home, replica, logged)) == []


def test_a_watch_has_to_be_one_and_whole(
    home: Home, store: Store, replica: Path, promoted: str
) -> None:
    logged = count_answers(home)
    assert list(breaches_of_watch(home, replica, logged, 2)) == ["0 watches instead of one"]
    answers = list(store.answers.read())[:2]
    run_id = store.runs.start(RunSpec(RunKind.WATCH, "m", None, 0))
    store.answers.add(run_id, answers)
    store.runs.finish(run_id, RunStatus.DONE, None)
    assert list(breaches_of_watch(home, replica, logged, 2)) == []
    assert list(breaches_of_watch(home, replica, logged, 3)) == [
        "a watch of 2 answers, 3 were asked for"
    ]
    home.watch.write_text("{}", "utf-8")
    assert "the watch is still noted as under way" in list(
        breaches_of_watch(home, replica, logged, 2)
    )
