"""A database where nothing can be written: it is read whole, and nothing is made beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ghostbust.errors import StoreError
from ghostbust.store.store import Store

Mount = Callable[[Path], Path]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Mount]:
    """Puts copies of a folder's files on a file system that is then made read-only."""
    place = tmp_path / "mounted"
    with ExitStack() as stack:

        def mount(source: Path) -> Path:
            place.mkdir()
            if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
                pytest.skip("a file system can't be mounted here")
            stack.callback(lambda: subprocess.run(["umount", "--lazy", place], check=True))
            for file in source.iterdir():
                shutil.copy(file, place)
            subprocess.run(["mount", "-o", "remount,ro", place], check=True)
            return place

        if os.geteuid() != 0 or shutil.which("mount") is None:
            pytest.skip("only root can mount a file system")
        yield mount


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """A folder with a database whose newest row stands in the write-ahead log alone."""
    folder = tmp_path / "written"
    folder.mkdir()
    with Store.open(folder / "ghostbust.db") as store:
        store.jobs.pause("merged")
    with Store.open(folder / "ghostbust.db") as store:
        store.jobs.pause("not merged")
        yield folder


@pytest.mark.parametrize("index", [True, False])
def test_a_log_that_was_left_is_read_too(
    index: bool, written: Path, tmp_path: Path, read_only: Mount
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("ghostbust.db", "ghostbust.db-wal", *(["ghostbust.db-shm"] if index else [])):
        shutil.copy(written / name, killed)
    place = read_only(killed)
    before = sorted(place.iterdir())
    with Store.open(place / "ghostbust.db", read_only=True) as store:
        assert set(store.jobs.all()) == {"merged", "not merged"}
    assert sorted(place.iterdir()) == before


def test_a_database_that_was_closed_is_read(tmp_path: Path, read_only: Mount) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    with Store.open(folder / "ghostbust.db") as store:
        store.jobs.pause("merged")
    assert [path.name for path in folder.iterdir()] == ["ghostbust.db"]
    place = read_only(folder)
    with Store.open(place / "ghostbust.db", read_only=True) as store:
        assert set(store.jobs.all()) == {"merged"}
    with pytest.raises(StoreError, match=r"can't be (written|opened)"):
        Store.open(place / "ghostbust.db")


def test_an_older_database_is_one_line_there_too(tmp_path: Path, read_only: Mount) -> None:
    folder = tmp_path / "older"
    folder.mkdir()
    with Store.open(folder / "ghostbust.db") as store, store._connection.write() as connection:
        connection.execute(
            "DELETE FROM _sqlite_migrations WHERE rowid ="
            " (SELECT max(rowid) FROM _sqlite_migrations)"
        )
    with pytest.raises(StoreError, match="written by an older ghostbust"):
        Store.open(read_only(folder) / "ghostbust.db", read_only=True)


def test_a_folder_of_somebody_elses_is_read(tmp_path: Path) -> None:
    """By a user who may read it and not write into it."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = tmp_path / "theirs"
    folder.mkdir()
    with Store.open(folder / "ghostbust.db") as store:
        store.jobs.pause("merged")
    (folder / "ghostbust.db").chmod(0o644)
    for path in (folder, *folder.parents[:3]):  # up to pytest's own folder
        path.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            with Store.open(folder / "ghostbust.db", read_only=True) as store:
                os._exit(0 if set(store.jobs.all()) == {"merged"} else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [path.name for path in folder.iterdir()] == ["ghostbust.db"]
