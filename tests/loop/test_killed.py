"""What is killed with SIGKILL in the first stages of a round is gone on with, and nothing is lost.

All stages, daemons among them: `python -m tests.lab.faults`. As a program of its own: it forks,
which a test's process, full of threads, had better not.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_round_that_is_killed_is_gone_on_with() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.lab.faults", "--points", "3"],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.partition(" at ")[0] for line in lines[:3]] == [
        "before: killed", "started: killed", "selected: killed",
    ]  # fmt: skip
    assert lines[-1] == "3 points, 3 kills, 0 failed"
