"""``ghostbust bench faults``: its points, its table, and its exit code.

As a program of its own: it forks, which a test's process, full of threads, had better not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


def faults(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ghostbust", "bench", "faults", *options],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


def test_the_first_stages_of_a_round() -> None:
    ended = faults("--points", "3", "--json", "--quiet")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    document = json.loads(ended.stdout)
    assert document["failed"] == 0
    stages = [(each["point"]["stage"], each["died"]) for each in document["points"]]
    assert stages == [("before", True), ("started", True), ("selected", True)]
    assert all(each["breaches"] == [] for each in document["points"])


@pytest.mark.skipif(sys.platform != "linux", reason="children are looked up in /proc")
def test_ended_by_sigterm_it_leaves_no_process_and_no_folder(tmp_path: Path) -> None:
    trial = subprocess.Popen(
        [sys.executable, "-m", "ghostbust", "bench", "faults", "--points", "1"],
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
    assert trial.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.killpg(trial.pid, 0)
    assert not list(tmp_path.glob("ghostbust-faults-*"))


@pytest.mark.soak
def test_three_points_of_each_stage() -> None:
    ended = faults("--points", "30", "--seed", "7")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "30 points, 30 kills, 0 failed" in ended.stdout
    for stage in ("canary", "promoted", "watch", "rollback", "daemon"):
        assert stage in ended.stdout
