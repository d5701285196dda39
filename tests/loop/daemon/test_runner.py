"""Full disk, read-only or locked database, a registry that is down for a day: a clear state, no
loss, and work goes on when it is over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.config import override
from ghostbust.errors import StoreError, UnansweredError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.runner import stand
from ghostbust.store import connection
from ghostbust.store.connection import Connection
from ghostbust.store.store import Store
from tests.loop.daemon.conftest import DAY, House, MakeHouse, every

if TYPE_CHECKING:
    pass


@pytest.fixture
def daemon(house: MakeHouse) -> House:
    """Watches each hour."""
    made = house(watch=every("1h"))
    made.start()
    return made


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Makes every database that is opened as full as it is, by SQLite's own limit; or not."""
    opened = sqlite3.connect

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = opened(*args, **kwargs)
        made.execute("PRAGMA max_page_count = 1")
        return made

    def switch(on: bool) -> None:
        monkeypatch.setattr(sqlite3, "connect", connect if on else opened)

    return switch


def fill_up(store: Store) -> None:
    """Uses up the free pages, so that whatever is written next needs a new one."""
    for number in range(200):
        store.jobs.pause(f"x{number:0500d}")


def test_nothing_begins_on_a_disk_without_room(daemon: House, home: Home) -> None:
    daemon.run(minutes=1)
    settings = override(daemon.place.config, selfcheck__free_bytes=1 << 62)
    daemon.timetable.fill(replace(daemon.place, config=settings))
    daemon.run(hours=5)
    assert len(daemon.begun["watch"]) == 1
    (row,) = [row for row in stand(home, settings).rows if row.name == "watch"]
    assert row.outcome == "skipped"
    assert "MB left, which is less than selfcheck.free_bytes" in row.reason
    daemon.timetable.fill(daemon.place)
    daemon.run(minutes=2)
    assert len(daemon.begun["watch"]) == 2, "within a minute, not at the next hour"


def test_a_database_that_fills_up_under_a_job_is_noted_when_there_is_room(
    daemon: House, home: Home, full: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    def write(_: Workplace) -> None:
        full(True)
        with Store.open(home.database) as store:
            fill_up(store)

    daemon.works["watch"] = write
    daemon.run(minutes=10)
    assert "watch: can't use the database" in caplog.text
    assert "the disk is full" in caplog.text
    assert len(daemon.begun["watch"]) == 1
    caplog.clear()
    daemon.run(hours=3)
    assert len(daemon.begun["watch"]) >= 1
    full(False)
    daemon.works.clear()
    daemon.run(hours=1)
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome == "ok"
        assert store.faults() == []


def test_a_read_only_database_holds_the_jobs_and_says_so_once(
    daemon: House, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.run(minutes=1)
    opened = sqlite3.connect
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda path, **options: opened(path.replace("mode=rw", "mode=ro"), **options),
    )
    daemon.run(hours=6)
    assert len(daemon.begun["watch"]) == 1, "nothing is begun that couldn't be kept"
    assert caplog.text.count("watch: waits: can't use the database") == 1
    found = stand(home, daemon.place.config)
    assert "it can't be written; check its permissions" in found.trouble
    monkeypatch.undo()
    daemon.run(minutes=2)
    assert len(daemon.begun["watch"]) == 2
    assert stand(home, daemon.place.config).trouble == ""


def test_a_locked_database_holds_the_jobs_until_it_is_free(
    daemon: House, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.run(minutes=1)
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.01)
    other = sqlite3.connect(home.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    daemon.run(hours=3)
    assert len(daemon.begun["watch"]) == 1
    assert caplog.text.count("another process wrote for more than") >= 1
    assert "another process wrote for more than" in stand(home, daemon.place.config).trouble
    other.execute("ROLLBACK")
    other.close()
    daemon.run(minutes=2)
    assert len(daemon.begun["watch"]) == 2
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome == "ok"


def test_the_end_of_a_run_is_kept_in_mind_where_it_can_t_be_noted(
    daemon: House, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Connection) -> None:
        raise StoreError("the disk is full")

    def act(_: Workplace) -> None:
        monkeypatch.setattr(Connection, "write", broken)
        raise UnansweredError("the registries gave no answer for 3 names")

    daemon.works["watch"] = act
    daemon.run(minutes=2)
    monkeypatch.undo()
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome is None
    daemon.works.clear()
    daemon.timetable.fill(daemon.place)
    told: list[tuple[str | None, int]] = []

    def look(_: Workplace) -> None:
        with Store.open(home.database) as store:
            told.append((store.jobs.get("watch").outcome, store.jobs.get("watch").failures))

    daemon.works["watch"] = look
    daemon.run(hours=2)
    assert told[0] == ("failed", 1), "it was noted before the next run began"


def test_a_registry_that_is_down_for_a_day_is_asked_each_hour_and_then_all_is_well(
    daemon: House, home: Home
) -> None:
    def ask(_: Workplace) -> None:
        if daemon.clock.now() < DAY + timedelta(days=1):
            raise UnansweredError("the registries gave no answer for 20 names")

    daemon.works["watch"] = ask
    daemon.run(hours=23, minutes=59)
    (row,) = [row for row in stand(home, daemon.place.config).rows if row.name == "watch"]
    assert (row.outcome, row.reason) == ("failed", "the registries gave no answer for 20 names")
    assert row.failures == len(daemon.begun["watch"])
    waits = [later - one for one, later in pairwise(daemon.begun["watch"])]
    assert max(waits) <= timedelta(hours=1)
    daemon.run(hours=2)
    with Store.open(home.database) as store:
        row = store.jobs.get("watch")
    assert (row.outcome, row.failures) == ("ok", 0)
