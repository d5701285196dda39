"""A process dies exactly at its point; each breach is seen where it was made, and no other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.loop.promote import promote, roll_back
from ghostbust.publishers.directory import POINTER, publish
from ghostbust.records import GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.conftest import FillHome
from tests.lab.faults import (
    Trace,
    breaches_at_once,
    breaches_of_rollback,
    breaches_of_round,
    breaches_of_watch,
    count_answers,
    draw_points,
)

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
CALLS = {"before": {"a.py:f": 3, "b.py:g": 1}, "watch": {"a.py:f": 900}}


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


def test_points_take_the_stages_in_turn_and_stay_within_what_was_called() -> None:
    points = draw_points(CALLS, ["before", "watch"], 40, 1)
    assert [point.stage for point in points] == ["before", "watch"] * 20
    assert all(1 <= p.occurrence <= CALLS[p.stage][p.function] for p in points)
    assert {point.function for point in points[::2]} == {"a.py:f", "b.py:g"}
    assert draw_points(CALLS, ["before", "watch"], 40, 1) == points
    assert draw_points(CALLS, ["before", "watch"], 40, 2) != points


def test_calls_are_counted_by_the_state_that_is_about_to_be_written(tmp_path: Path) -> None:
    with Store.open(tmp_path / "store.db") as store:
        trace = Trace("before")
        with trace.following():
            store.rounds.recent()
            round_id = store.rounds.start(model="m", method="au", seed=0, settings={})
            store.rounds.set_state(round_id, RoundState.TRAINED)
            store.rounds.get(round_id)
        after = store.rounds.recent()
    assert set(trace.calls) == {"before", "started", "trained"}
    assert trace.calls["before"]["rounds.py:Rounds.recent"] == 1
    assert trace.calls["trained"]["rounds.py:Rounds.get"] == 1
    assert len(after) == 1, "what comes afterwards is followed no more"


PROGRAM = """
import sys
from pathlib import Path
from tests.lab.faults import Point, Trace
from ghostbust.store.store import Store
with Store.open(Path(sys.argv[1])) as store:
    with Trace("before", Point("started", "rounds.py:Rounds.get", 2)).following():
        number = store.rounds.start(model="m", method="au", seed=0, settings={})
        store.rounds.get(number)
        print("once", flush=True)
        store.rounds.get(number)
        print("twice", flush=True)
"""


def test_a_process_dies_at_its_point(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store.db")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "once\n")


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_ended_by_sigterm_it_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    trial = subprocess.Popen(
        [sys.executable, "-m", "tests.lab.faults", "--points", "1"], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    children, limit = Path(f"/proc/{trial.pid}/task/{trial.pid}/children"), time.monotonic() + 300
    while not children.read_text():
        assert trial.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.02)
    trial.terminate()
    trial.communicate(timeout=300)
    assert trial.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.killpg(trial.pid, 0)
    assert not list(tmp_path.glob("ghostbust-faults-*"))


@pytest.mark.soak
def test_three_points_of_each_stage() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.lab.faults", "--points", "30", "--seed", "7"],
        cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "30 points, 30 kills, 0 failed" in ended.stdout
    for stage in ("canary", "promoted", "watch", "rollback", "daemon"):
        assert stage in ended.stdout
