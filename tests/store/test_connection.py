"""The file is private, survives what others do to it, and every fault of it is one line."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlite_utils import Database

from ghostbust.errors import StoreError
from ghostbust.store.connection import BUSY_TIMEOUT_S
from ghostbust.store.migrations import MIGRATIONS, STEPS
from ghostbust.store.rows import RunSpec, RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import MakeAnswer


def test_a_new_file_is_for_the_user_alone(path: Path, store: Store, spec: RunSpec) -> None:
    store.runs.start(spec)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [
        "ghostbust.db",
        "ghostbust.db-shm",
        "ghostbust.db-wal",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_reading_goes_on_while_another_writes(
    path: Path, store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    run_id = store.runs.start(spec)
    with Store.open(path, read_only=True) as reader, closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET status = 'done'")
        assert reader.runs.get(run_id).status is RunStatus.RUNNING
        writer.execute("COMMIT")
        assert reader.runs.get(run_id).status is RunStatus.DONE


def test_a_read_only_store_opens_after_the_writer_has_left_and_refuses_to_write(
    path: Path, store: Store, spec: RunSpec
) -> None:
    store.runs.start(spec)
    store.close()
    with Store.open(path, read_only=True) as reader:
        assert len(reader.runs.recent()) == 1
        with pytest.raises(StoreError, match="can't be written"):
            reader.runs.start(spec)


def test_a_write_waits_for_another_process(path: Path, store: Store, spec: RunSpec) -> None:
    writer = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: writer.execute("COMMIT"))
    release.start()
    assert store.runs.start(spec) == 1
    release.join()
    writer.close()
    assert BUSY_TIMEOUT_S >= 30


def test_many_may_open_a_new_file_at_once(path: Path, spec: RunSpec) -> None:
    barrier = threading.Barrier(8)

    def start() -> int:
        barrier.wait()
        with Store.open(path) as store:
            return store.runs.start(spec)

    with ThreadPoolExecutor(8) as pool:
        ids = [future.result() for future in [pool.submit(start) for _ in range(8)]]
    assert sorted(ids) == list(range(1, 9))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_thread_is_a_fault_of_the_code_not_of_the_file(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(sqlite3.ProgrammingError, match="thread"):
        pool.submit(store.runs.recent).result()


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database, " * 300)


def cut_off(path: Path) -> None:
    Store.open(path).close()
    path.write_bytes(path.read_bytes()[:6000])


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (id)")


def newer(path: Path) -> None:
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('ghostbust', 'm999_future', '2099')"
        )


def folder(path: Path) -> None:
    path.mkdir()


def under_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (garbage, "isn't a database"),
        (cut_off, "damaged"),
        (foreign, "another program's"),
        (newer, r"newer ghostbust \(m999_future\)"),
        (folder, "Is a directory"),
        (under_a_file, "Not a directory"),
    ],
)
def test_a_file_that_can_t_be_used_is_one_line_and_stays_as_it_is(
    path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=message) as caught, Store.open(path) as store:
        store.runs.recent()
    assert "\n" not in str(caught.value)
    assert before == (path.read_bytes() if path.is_file() else None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_t_be_written_is_one_line(path: Path) -> None:
    path.parent.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        Store.open(path)
    path.parent.chmod(0o700)


def test_reading_only_needs_a_file_that_is_there_and_up_to_date(path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        Store.open(path, read_only=True)
    assert not path.exists()
    path.touch()
    with pytest.raises(StoreError, match="older ghostbust"):
        Store.open(path, read_only=True)


def test_steps_are_applied_once(path: Path) -> None:
    for _ in range(2):
        Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        applied = [step.name for step in MIGRATIONS.applied(Database(connection))]
    assert applied == [step.__name__ for step in STEPS]


def test_a_second_store_in_one_process_leaves_the_first_ones_locks_alone(path: Path) -> None:
    """Else another process that closes the file takes it for the last one, and damages it."""
    program = (
        "import sys; from pathlib import Path; from ghostbust.store import Store\n"
        "with Store.open(Path(sys.argv[1])) as store:\n"
        "    for n in range(50): store.rounds.start(model='m', method='au', seed=n, settings={})"
    )
    with Store.open(path) as first:
        first.rounds.start(model="m", method="au", seed=0, settings={})
        Store.open(path).close()
        subprocess.run([sys.executable, "-c", program, str(path)], check=True)
        with Store.open(path) as second:
            second.rounds.start(model="m", method="au", seed=0, settings={})
        assert len(first.rounds.recent()) == 52
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
