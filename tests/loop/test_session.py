"""One process at a time in a home folder, and what a killed one left is put in order."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ghostbust.config import Config
from ghostbust.errors import BusyError, HomeError, SnapshotError
from ghostbust.home import Home
from ghostbust.loop.session import open_session
from ghostbust.sections import RegistrySection
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunStatus
from ghostbust.store.store import Store

CONFIG = Config(registry=RegistrySection(mode="snapshot"))

LEFT_BEHIND = """
import os, signal, sys
from pathlib import Path
from ghostbust.home import Home
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store

home = Home.open(Path(sys.argv[1]))
(home.adapters / ".round-0001-aa.part").mkdir()
with home.exclusive("test"), Store.open(home.database) as store:
    store.runs.start(RunSpec(RunKind.SWEEP, "made-up", None, 1))
    store.rounds.start(model="made-up", method="au", seed=1, settings={})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_session_holds_the_home_and_lets_go(home: Home) -> None:
    with open_session(home, CONFIG, purpose="sweep") as session:
        assert (session.home, session.config) == (home, CONFIG)
        assert session.judge.mode == "snapshot"
        with pytest.raises(BusyError, match=r"in use by process .*\(sweep\)"):
            open_session(home, CONFIG, purpose="round").__enter__()
    with pytest.raises(ZeroDivisionError), open_session(home, CONFIG, purpose="round"):
        raise ZeroDivisionError
    with open_session(home, CONFIG, purpose="round"):
        assert home.database.is_file()


def test_what_a_killed_process_left_is_put_in_order(home: Home) -> None:
    ended = subprocess.run([sys.executable, "-c", LEFT_BEHIND, str(home.path)], check=False)
    assert ended.returncode < 0
    with Store.open(home.database) as store:
        assert store.runs.get(1).status is RunStatus.RUNNING
    with open_session(home, CONFIG, purpose="sweep") as session:
        assert session.store.runs.get(1).status is RunStatus.INTERRUPTED
        round_ = session.store.rounds.get(1)
        assert (round_.state, round_.reason) == (RoundState.FAILED, "its process was killed")
        assert list(home.adapters.iterdir()) == []


def test_what_cannot_be_used_is_told_and_the_home_let_go(home: Home) -> None:
    (home.path / "registry").mkdir()
    broken = home.path / "registry" / "registry-pypi.json"
    broken.write_text("{", "utf-8")
    with pytest.raises(SnapshotError):
        open_session(home, CONFIG, purpose="sweep").__enter__()
    broken.unlink()
    home.deployed.write_text("{", "utf-8")
    with pytest.raises(HomeError, match="promote or roll back again"):
        open_session(home, CONFIG, purpose="sweep").__enter__()
    home.deployed.unlink()
    with open_session(home, CONFIG, purpose="sweep"):
        pass


def test_the_cache_folder_is_the_variables(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    with open_session(home, CONFIG, purpose="sweep") as session:
        assert session.cache_dir == tmp_path / "cache"
