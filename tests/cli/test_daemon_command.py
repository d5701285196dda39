"""The daemon as a process: one for a home, killed and started again, stopped by SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.loop import pending
from ghostbust.prompts import seed_tasks
from ghostbust.store import Run, RunStatus, Store

SETTINGS = """
[model]
name = "{model}"
device = "cpu"
[sampling]
max_new_tokens = 128
samples_per_prompt = 1
batch_rows = 2
[registry]
mode = "snapshot"
[daemon]
watch_every_s = 0.5
watch_prompts = 48
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def home(tmp_path: Path, tiny_model_dir: Path) -> Home:
    """A home whose settings name the tiny model and a fast schedule."""
    home = Home.open(tmp_path / "home")
    home.config.write_text(SETTINGS.format(model=tiny_model_dir))
    return home


@pytest.fixture
def start(home: Home, tmp_path: Path) -> Iterator[Start]:
    """Starts `ghostbust daemon` in the home; whatever is left of it is killed in the end."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("GHOSTBUST_")}
    begun: list[subprocess.Popen[str]] = []

    def popen(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "ghostbust", "daemon", "--home", str(home.path), *options]
        begun.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env=settings | {"OMP_NUM_THREADS": "1"},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield popen
    for process in begun:
        process.kill()
        process.communicate()


def runs(home: Home) -> list[Run]:
    """The runs so far, newest first; none where the database isn't there yet."""
    with suppress(StoreError), Store.open(home.database, read_only=True) as store:
        return store.runs.recent()
    return []


def answers(home: Home) -> int:
    with suppress(StoreError), Store.open(home.database, read_only=True) as store:
        return sum(1 for _ in store.answers.read())
    return 0


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits; fails where the process ends before, or takes too long."""
    limit = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_it_watches_survives_a_kill_and_ends_on_sigterm(home: Home, start: Start) -> None:
    first = start()
    until(home.database.exists, first)
    second = start()
    assert second.communicate(timeout=30)[1].splitlines() == [
        f"ghostbust: {home.path} is in use by process {first.pid} (daemon); wait for it or stop it"
    ]
    assert second.returncode == 3
    until(lambda: answers(home) > 0, first)
    first.kill()
    first.wait()
    (killed,) = runs(home)
    assert killed.status is RunStatus.RUNNING, "killed in the middle"
    told = answers(home)

    third = start()
    until(lambda: runs(home)[-1].status is RunStatus.DONE, third)
    assert runs(home)[-1].id == killed.id, "it went on with the same run"
    assert answers(home) >= max(told, 48)
    until(lambda: len(runs(home)) == 2, third)
    third.send_signal(signal.SIGTERM)
    said = third.communicate(timeout=30)[1]
    assert third.returncode == 0
    assert "daemon: stops (SIGTERM)" in said
    last = runs(home)[0]
    assert last.status is not RunStatus.RUNNING
    with Store.open(home.database) as store:
        rest = pending.find(home, store, seed_tasks())
        assert (rest is not None) == (last.status is RunStatus.INTERRUPTED)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[daemon]\nwatch_evry_s = 5\n", "unknown key daemon.watch_evry_s"),
        ('[prompts]\nfiles = ["none.jsonl"]\n', "can't read the prompts in"),
    ],
)
def test_bad_settings_are_one_line_and_end_it(
    home: Home, start: Start, settings: str, complaint: str
) -> None:
    home.config.write_text(settings)
    process = start()
    (line,) = process.communicate(timeout=30)[1].splitlines()
    assert (process.returncode, complaint in line) == (2, True), line
