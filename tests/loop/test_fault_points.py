"""Points are drawn by a seed, and a process dies exactly there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from ghostbust.loop.fault_points import Trace, draw_points
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

CALLS = {"before": {"a.py:f": 3, "b.py:g": 1}, "watch": {"a.py:f": 900}}


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
from ghostbust.loop.fault_points import Point, Trace
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
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (died.returncode, died.stdout) == (-signal.SIGKILL, "once\n")
