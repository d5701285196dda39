"""``ghostbust bench faults``: its points, its table, and its exit code.

As a program of its own: it forks, which a test's process, full of threads, had better not.
"""

from __future__ import annotations

import json
import subprocess
import sys

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


@pytest.mark.soak
def test_three_points_of_each_stage() -> None:
    ended = faults("--points", "30", "--seed", "7")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "30 points, 30 kills, 0 failed" in ended.stdout
    for stage in ("canary", "promoted", "watch", "rollback", "daemon"):
        assert stage in ended.stdout
