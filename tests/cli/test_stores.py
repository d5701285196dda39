"""Commands that read need no home that can be written, and none makes one of a mistyped --home."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.home import Home
from ghostbust.store.store import Store

Run = Callable[..., Result]

READING = (
    ("report",),
    ("report", "run", "1"),
    ("names", "list"),
    ("prompts", "list"),
    ("prompts", "export"),
    ("prompts", "prune", "--never-asked"),
    ("adapters", "list"),
    ("adapters", "status"),
    ("jobs", "list"),
    ("dashboard", "--plain"),
)
CHANGING = (
    ("names", "show", "zz-ghost"),
    ("names", "allow", "zz-ghost"),
    ("names", "lookup", "zz-ghost"),
    ("adapters", "show", "round-0001-aa"),
    ("adapters", "promote", "round-0001-aa"),
    ("adapters", "reject", "round-0001-aa"),
    ("adapters", "rollback"),
    ("adapters", "publish"),
    ("adapters", "unpublish", "round-0001-aa"),
    ("prompts", "prune", "--never-asked", "--yes"),
    ("export", "ledger", "--out", "ledger.db"),
    ("dashboard",),
    ("dashboard", "--web"),
)


@pytest.mark.parametrize("command", READING + CHANGING, ids=" ".join)
def test_a_mistyped_home_is_said_and_not_made(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    done = run(*command, "--home", tmp_path / "hoem")
    assert done.exit_code == 2
    assert f"there is no database at {tmp_path}/hoem/ghostbust.db" in done.stderr
    assert not (tmp_path / "hoem").exists()


@pytest.fixture
def mounted(
    home: Path, fill_home: Callable[[Home], str], tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """A home with some answers and an adapter, on a read-only file system; and the adapter."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    adapter, place = fill_home(Home.open(home)), tmp_path / "mounted"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
        pytest.skip("a file system can't be mounted here")
    try:
        with Store.open(home / "ghostbust.db") as store:
            store.jobs.pause("sync")  # in the log alone, as after a kill
            shutil.copytree(home, place, dirs_exist_ok=True)
        (place / "ghostbust.db-shm").unlink()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield place, adapter
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_all_that_reads_works_where_nothing_can_be_written(
    run: Run, mounted: tuple[Path, str], tmp_path: Path
) -> None:
    place, adapter = mounted
    before = sorted(place.rglob("*"))
    more = (
        ("adapters", "show", adapter),
        ("report", "round", "1"),
        ("report", "adapters", "base", adapter),
        ("export", "ledger", "--out", tmp_path / "ledger.db"),
        ("export", "ledger", "--format", "csv", "--out", tmp_path / "ledger.csv"),
    )
    for command in (*READING, *more):
        done = run(*command, "--home", place)
        assert done.exit_code == 0, (command, done.stderr)
    assert "paused" in run("jobs", "list", "--home", place).stdout, "the log was read"
    assert sorted(place.rglob("*")) == before
