"""The file is private, survives what others do to it, and every fault of it is one line.

Records come back from rows as they went in.
"""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlite_utils import Database

from ghostbust.errors import StoreError
from ghostbust.records import Ecosystem, Flag
from ghostbust.store.connection import (
    BUSY_TIMEOUT_S,
    columns_of,
    decode,
    encode_json,
    encode_time,
    insert,
)
from ghostbust.store.migrations import MIGRATIONS, STEPS
from ghostbust.store.runs import RunStatus
from ghostbust.store.store import Store
from tests.store.conftest import SPEC

Mount = Callable[[Path], Path]


def test_a_new_file_is_for_the_user_alone(path: Path, store: Store) -> None:
    store.runs.start(SPEC)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["ghostbust.db", "ghostbust.db-shm", "ghostbust.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_reading_goes_on_while_another_writes(path: Path, store: Store) -> None:
    run_id = store.runs.start(SPEC)
    with Store.open(path, read_only=True) as reader, closing(sqlite3.connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE runs SET status = 'done'")
        assert reader.runs.get(run_id).status is RunStatus.RUNNING
        writer.execute("COMMIT")
        assert reader.runs.get(run_id).status is RunStatus.DONE


def test_a_read_only_store_opens_after_the_writer_has_left_and_refuses_to_write(
    path: Path, store: Store
) -> None:
    store.runs.start(SPEC)
    store.close()
    with Store.open(path, read_only=True) as reader:
        assert len(reader.runs.recent()) == 1
        with pytest.raises(StoreError, match="can't be written"):
            reader.runs.start(SPEC)


def test_a_write_waits_for_another_process(path: Path, store: Store) -> None:
    writer = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.1, lambda: writer.execute("COMMIT"))
    release.start()
    assert store.runs.start(SPEC) == 1
    release.join()
    writer.close()
    assert BUSY_TIMEOUT_S >= 30


def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    barrier = threading.Barrier(8)

    def start() -> int:
        barrier.wait()
        with Store.open(path) as store:
            return store.runs.start(SPEC)

    with ThreadPoolExecutor(8) as pool:
        ids = [future.result() for future in [pool.submit(start) for _ in range(8)]]
    assert sorted(ids) == list(range(1, 9))
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_second_thread_is_a_fault_of_the_code_not_of_the_file(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, pytest.raises(sqlite3.ProgrammingError, match="thread"):
        pool.submit(store.runs.recent).result()


def test_a_second_store_in_one_process_leaves_the_first_ones_locks_alone(path: Path) -> None:
    """Else another process that closes the file takes it for the last one, and damages it."""
    program = (
        "import sys; from pathlib import Path; from ghostbust.store.store import Store\n"
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
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


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
        (Path.mkdir, "Is a directory"),
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


@pytest.mark.parametrize("index", [True, False])
def test_a_log_that_was_left_on_a_read_only_file_system_is_read_too(
    index: bool, tmp_path: Path, read_only: Mount
) -> None:
    written, killed = tmp_path / "written", tmp_path / "killed"
    written.mkdir()
    killed.mkdir()
    with Store.open(written / "ghostbust.db") as store:
        store.jobs.pause("merged")
    with Store.open(written / "ghostbust.db") as store:
        store.jobs.pause("not merged")  # this row is in the log alone
        for name in ("ghostbust.db", "ghostbust.db-wal", *(["ghostbust.db-shm"] if index else [])):
            shutil.copy(written / name, killed)
    place = read_only(killed)
    before = sorted(place.iterdir())
    with Store.open(place / "ghostbust.db", read_only=True) as store:
        assert set(store.jobs.all()) == {"merged", "not merged"}
    assert sorted(place.iterdir()) == before


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A folder with a database that was closed."""
    folder = tmp_path / "closed"
    folder.mkdir()
    with Store.open(folder / "ghostbust.db") as store:
        store.jobs.pause("merged")
    assert [path.name for path in folder.iterdir()] == ["ghostbust.db"]
    return folder


def test_a_closed_database_on_a_read_only_file_system_is_read(
    closed: Path, read_only: Mount
) -> None:
    place = read_only(closed)
    with Store.open(place / "ghostbust.db", read_only=True) as store:
        assert set(store.jobs.all()) == {"merged"}
    with pytest.raises(StoreError, match=r"can't be (written|opened)"):
        Store.open(place / "ghostbust.db")


def test_an_older_database_on_a_read_only_file_system_is_one_line(
    closed: Path, read_only: Mount
) -> None:
    with closing(sqlite3.connect(closed / "ghostbust.db")) as connection, connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (STEPS[-1].__name__,))
    with pytest.raises(StoreError, match="written by an older ghostbust"):
        Store.open(read_only(closed) / "ghostbust.db", read_only=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_write_into_the_folder_reads(closed: Path) -> None:
    (closed / "ghostbust.db").chmod(0o644)
    for path in (closed, *closed.parents[:4]):  # up to pytest's own folder, xdist's between
        path.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            with Store.open(closed / "ghostbust.db", read_only=True) as store:
                os._exit(0 if set(store.jobs.all()) == {"merged"} else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [path.name for path in closed.iterdir()] == ["ghostbust.db"]


@dataclass(frozen=True)
class Inner:
    share: float
    ends: tuple[float, ...]
    more: dict[str, Inner] = field(default_factory=dict)


@dataclass(frozen=True)
class Other:
    name: str


@dataclass(frozen=True)
class Record:
    ecosystem: Ecosystem | None
    at: datetime
    folder: Path
    yes: bool
    flags: frozenset[Flag]
    turns: tuple[str, ...]
    settings: Mapping[str, object]
    inner: Inner | None
    other: Other
    later: str = "a default"


RECORD = Record(
    Ecosystem.NPM, datetime(2026, 12, 1, tzinfo=UTC), Path("a/b"), True,
    frozenset({Flag.OPTIONAL, Flag.TRUNCATED}), ("größe", "b"), {"b": [1, None], "a": 0.5},
    Inner(0.25, (0.5, 1.0), {"x": Inner(1.0, ())}), Other("o"),
)  # fmt: skip


def test_a_record_comes_back_from_the_row_that_it_became() -> None:
    columns = columns_of(RECORD) | {"name": "o"}
    del columns["other"], columns["later"]
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute(f"CREATE TABLE t ({', '.join(columns)})")
        insert(connection, "t", columns)
        row = dict(connection.execute("SELECT * FROM t").fetchone())
    assert row["flags"] == "optional truncated"
    assert row["settings"] == '{"a": 0.5, "b": [1, null]}'
    assert decode(Record, row) == RECORD
    nothing = row | {"ecosystem": None, "inner": None, "turns": None, "yes": 0, "later": "x"}
    found = decode(Record, nothing)
    assert (found.ecosystem, found.inner, found.turns) == (None, None, ())
    assert (found.yes, found.later) == (False, "x")
    assert decode(Record, row, later="given").later == "given"


def test_what_is_undefined_is_null_and_what_is_missing_or_broken_is_said() -> None:
    found = decode(Inner, {"share": None, "ends": "[null, 1.0]"})
    assert math.isnan(found.share)
    assert math.isnan(found.ends[0])
    with pytest.raises(StoreError, match="damaged: a value is no JSON"):
        decode(Inner, {"share": 1.0, "ends": "["})
    with pytest.raises(KeyError, match=r"Inner\.ends"):
        decode(Inner, {"share": 1.0})


def test_times_sort_as_text_with_and_without_fractions_and_come_back_in_utc() -> None:
    start = datetime(2026, 12, 1, 1, 30, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert encode_time(start) == "2026-11-30T23:30:00.000005+00:00"
    assert datetime.fromisoformat(encode_time(start)).tzinfo is UTC
    times = [start + timedelta(microseconds=249_995 * n) for n in range(9)]
    assert sorted(map(encode_time, times)) == [encode_time(at) for at in times]
    with pytest.raises(ValueError, match="no time zone"):
        encode_time(datetime(2026, 12, 1))  # noqa: DTZ001


def test_equal_settings_are_equal_texts_and_hold_only_what_json_can() -> None:
    assert encode_json({"b": 1, "a": [None, "ü"]}) == encode_json({"a": [None, "ü"], "b": 1})
    for value in (math.nan, {1, 2}):
        with pytest.raises((TypeError, ValueError)):
            encode_json({"a": value})
