"""A daemon that runs for months holds no more memory than one that began today."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ghostbust.loop.cycles import run_cycles


def test_the_jobs_are_run_as_often_as_asked_for(tmp_path: Path) -> None:
    found = run_cycles(tmp_path / "home", 20)
    assert found.runs >= 20
    assert found.simulated_days > 0


@pytest.mark.soak
def test_memory_is_flat_over_ten_thousand_runs() -> None:
    """In a process of its own: pytest keeps every line that is logged."""
    ended = subprocess.run(
        [sys.executable, "-m", "ghostbust", "bench", "daemon", "--runs", "10000", "--json"],
        capture_output=True, text=True, timeout=1800, check=True,
    )  # fmt: skip
    found = json.loads(ended.stdout)
    assert found["runs"] >= 10_000
    assert found["heap_after"] - found["heap_before"] < 100_000, "bytes; a leak of 10 a run"
