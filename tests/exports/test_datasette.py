"""The ledger as a SQLite database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ghostbust.exports.datasette import TABLES, VIEWS, metadata, write_sqlite
from ghostbust.store.store import Store


@pytest.fixture(params=[False, True], ids=["redacted", "revealed"])
def reveal(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def out(store: Store, tmp_path: Path, reveal: bool) -> Path:
    write_sqlite(store, tmp_path / "ledger.db", reveal=reveal)
    return tmp_path / "ledger.db"


def rows(out: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(out)) as db:
        return db.execute(sql).fetchall()


def test_it_has_every_table_and_view_that_is_described(out: Path, reveal: bool) -> None:
    there = rows(out, "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')")
    assert {name for kind, name in there if kind == "table"} == set(TABLES)
    assert {name for kind, name in there if kind == "view"} == set(VIEWS)
    described = json.loads(metadata("ledger", reveal=reveal))["databases"]["ledger"]["tables"]
    assert set(described) == set(TABLES) | set(VIEWS)


def test_its_bytes_hold_unregistered_names_only_if_asked(out: Path, reveal: bool) -> None:
    assert (b"zz-quux-sensorlib" in out.read_bytes()) is reveal
    assert (b"zz-harbor-toolkit" in out.read_bytes()) is reveal


def test_each_view_says_something(out: Path) -> None:
    for view in VIEWS:
        assert rows(out, f"SELECT * FROM {view}"), view
    assert rows(out, "SELECT sum(names) FROM new_by_day") == rows(out, "SELECT count(*) FROM names")
    assert rows(out, "SELECT id, adapter, volume FROM rates") == [
        (2, "round-0001-aa", 1.0), (1, None, 1.0),
    ]  # fmt: skip


def test_it_is_whole(out: Path) -> None:
    assert rows(out, "PRAGMA integrity_check") == [("ok",)]
    assert rows(out, "PRAGMA foreign_key_check") == []
