"""The home folder is private, found where it should be, and one process's at a time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import platformdirs
import pytest

from ghostbust.errors import BusyError, HomeError
from ghostbust.home import Home, cache_dir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_for_the_user_alone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "new" / "home")
    assert mode(home.path) == 0o700
    assert mode(home.adapters) == 0o700
    with home.exclusive("test"):
        assert mode(home.lock) == 0o600
    assert {home.database.parent, home.deployed.parent, home.config.parent} == {home.path}
    assert sorted(path.name for path in home.path.iterdir()) == ["adapters", "lock"]


def test_a_home_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    assert mode(Home.open(tmp_path).path) == 0o750


def test_the_option_comes_before_the_variable_before_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("GHOSTBUST_HOME", "")
    assert Home.find(None).path == platformdirs.user_data_path("ghostbust")
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path / "variable"))
    assert Home.find(None).path == tmp_path / "variable"
    assert Home.find(tmp_path / "option").registry == tmp_path / "option" / "registry"
    assert list(tmp_path.iterdir()) == [], "found, not made"
    assert Home.open(None).path == tmp_path / "variable"
    assert Home.open(tmp_path / "option").path.is_dir()


def test_a_relative_home_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = Home.open(Path("home"))
    monkeypatch.chdir("/")
    assert home.database == tmp_path / "home" / "ghostbust.db"


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GHOSTBUST_CACHE", raising=False)
    assert cache_dir() == platformdirs.user_cache_path("ghostbust")
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    assert cache_dir() == tmp_path / "cache"
    assert not cache_dir().exists(), "not made here"


def test_an_impossible_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(HomeError, match=r"^can't use \S+ as the home folder: [^\n]+$"):
            Home.open(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_t_be_written_is_one_line(tmp_path: Path) -> None:
    Home.open(tmp_path)
    tmp_path.chmod(0o500)
    with pytest.raises(HomeError, match="it can't be written"):
        Home.open(tmp_path)
    tmp_path.chmod(0o700)


def test_a_folder_in_place_of_the_lock_is_a_home_error(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    home.lock.mkdir()
    with pytest.raises(HomeError, match="Is a directory"), home.exclusive("test"):
        pass


def test_the_lock_is_one_holders_and_comes_free(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    with home.exclusive("sweep"):
        with (
            pytest.raises(BusyError, match=rf"process {os.getpid()} \(sweep\)"),
            home.exclusive("daemon"),
        ):
            pass
        with pytest.raises(BusyError), home.exclusive("again"):
            pass
    with pytest.raises(ZeroDivisionError), home.exclusive("fails"):
        raise ZeroDivisionError
    with home.exclusive("daemon"):
        assert home.lock.read_text("utf-8").strip() == f"{os.getpid()} daemon"


HOLDER = """
import sys
from pathlib import Path
from ghostbust.home import Home
with Home.open(Path(sys.argv[1])).exclusive("long daemon run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_killed_holder_is_named_and_then_gone(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(BusyError, match=rf"process {holder.pid} \(long daemon run\)"),
            home.exclusive("sweep"),
        ):
            pass
        holder.kill()
        holder.wait()
        with home.exclusive("sweep"):
            assert home.lock.read_text("utf-8").strip() == f"{os.getpid()} sweep"


def test_the_daemons_lock_leaves_the_home_to_its_jobs(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    with home.exclusive("daemon", home.daemon_lock):
        with home.exclusive("round"):
            assert (home.holder(home.lock), home.holder(home.daemon_lock)) == (
                f"{os.getpid()} round", f"{os.getpid()} daemon",
            )  # fmt: skip
        with (
            pytest.raises(BusyError, match=r"\(daemon\)"),
            home.exclusive("daemon", home.daemon_lock),
        ):
            pass


def test_a_bench_has_a_home_of_its_own_and_the_same_snapshots(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    for _ in range(2):
        bench = home.open_bench()
        assert bench.path == home.path / "bench"
        assert bench.adapters.is_dir()
        assert not bench.registry.exists(), "there are none yet"
    home.registry.mkdir()
    (home.registry / "a").touch()
    assert [path.name for path in bench.registry.iterdir()] == ["a"]
    with home.exclusive("daemon"), bench.exclusive("bench"):
        assert bench.database != home.database


def test_a_bench_that_can_not_be_is_one_line(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    (home.path / "bench").mkdir()
    (home.path / "bench" / "registry").mkdir()
    with pytest.raises(HomeError, match=r"can't use .*bench as the home folder"):
        home.open_bench()


def test_who_holds_a_lock_is_told_and_nothing_is_taken(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    for _ in range(2):
        assert home.holder(home.daemon_lock) is None
        with home.exclusive("daemon", home.daemon_lock):
            assert home.holder(home.daemon_lock) == f"{os.getpid()} daemon"


def test_a_look_is_in_nobodys_way(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    home.lock.touch()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.0005):  # without a pause, two of them starve a busy machine
            home.holder(home.lock)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for one in lookers:
        one.start()
    try:
        for _ in range(200):
            with home.exclusive("watch"):
                pass
    finally:
        ended.set()
        for one in lookers:
            one.join()
