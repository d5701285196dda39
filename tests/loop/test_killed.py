"""A round killed with SIGKILL in its first stages goes on afterwards, and loses nothing.

`python -m tests.lab.faults` kills in all stages, and daemons. It is a program of its own here, too:
it forks, which a test's process, full of threads, shouldn't.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_killed_round_goes_on() -> None:
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
