"""``ghostbust bench unattended``: the whole of it, with a small model of random weights."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest


def unattended(*options: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ghostbust", "bench", "unattended", "--quiet", *options],
        capture_output=True, text=True, timeout=1500, check=False, cwd=cwd,
    )  # fmt: skip


@pytest.mark.soak
def test_three_rounds_and_two_bad_adapters(tmp_path: Path) -> None:
    ended = unattended("--json", "--work", str(tmp_path / "work"))
    told = json.loads(ended.stdout)
    assert ended.returncode == 0, told["breaches"]
    whens = [stand["when"] for stand in told["stands"]]
    assert whens == ["before", "round 1", "round 2", "round 3", "turned", "taken back"]
    assert told["drills"]["garbage"].startswith("rejected: canary of ")
    assert told["drills"]["turned"].startswith("rollback to ")
    assert sum(each["errors"] for each in told["clients"].values()) == 0
    rates = [stand["outside"]["rate"] for stand in told["stands"]]
    assert rates[4] > rates[3], "the turned adapter invents more"
    assert rates[-1] < rates[0]
    assert told["stands"][-1]["adapter"] == told["stands"][3]["adapter"]


def test_what_it_lacks_when_its_time_is_up_is_said(tmp_path: Path) -> None:
    small = ("--json", "--limit-s", "30", "--tasks", "40", "--rounds", "9", "--watch-prompts", "11")
    ended = unattended(*small, "--work", "kept", cwd=tmp_path)
    assert ended.returncode == 1, ended.stderr
    settings = (tmp_path / "kept" / "home" / "ghostbust.toml").read_text()
    assert "watch_prompts = 11\n" in settings
    told = json.loads(ended.stdout)
    assert any("the time of 30 s is up" in breach for breach in told["breaches"])
    assert told["stands"][0]["when"] == "before"
    assert sum(each["answered"] for each in told["clients"].values()) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_ended_by_sigterm_it_leaves_no_process(tmp_path: Path) -> None:
    work = tmp_path / "work"

    def alive() -> list[str]:
        """Command lines of processes that work in the folder, this one's child among them."""
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found.append(each.read_text())
        return [line for line in found if str(work) in line]

    command = [sys.executable, "-m", "ghostbust", "bench", "unattended", "--work", str(work)]
    trial = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    limit = time.monotonic() + 300
    while len(alive()) < 3:  # itself, the server and the daemon
        assert trial.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.1)
    trial.terminate()
    trial.communicate(timeout=600)
    assert alive() == []
