"""Full disk, read-only or locked database, a registry that is down for a day: a clear state, no
loss, and work goes on when it is over.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.config import Config
from ghostbust.errors import StoreError, UnansweredError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.run import Timetable
from ghostbust.loop.daemon.runner import JobRunner, stand
from ghostbust.loop.daemon.table import JOBS, Job
from ghostbust.sections import JobEntry, JobsSection, RegistrySection, SelfcheckSection
from ghostbust.store import connection
from ghostbust.store.connection import Connection
from ghostbust.store.store import Store
from tests.simulated import HandScheduler, SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

DAY = datetime(2026, 11, 28, tzinfo=UTC)
OFF = dict.fromkeys(
    ("ingest", "round", "rollback", "recheck", "selfcheck", "retention"), JobEntry(every="off")
)


class Daemon:
    """A daemon by a clock of our own, whose watch does what a test wants."""

    def __init__(self, place: Workplace, clock: SimulatedClock) -> None:
        self.place, self.clock = place, clock
        self.watched: list[datetime] = []
        self.act: Callable[[], None] = lambda: None
        jobs = [Job(job.name, self._watch, job.every_s) for job in JOBS]
        self.scheduler = HandScheduler(clock)
        self.timetable = Timetable(place, JobRunner(place, jobs=jobs), self.scheduler)
        self.timetable.fill(place)
        self.scheduler.start()

    def _watch(self, _: Workplace) -> None:
        self.watched.append(self.clock.now())
        self.act()

    def run(self, **until: float) -> None:
        end = self.clock.now() + timedelta(**until)
        self.scheduler.run_until(end, self.timetable.look)


@pytest.fixture(autouse=True)
def lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "apscheduler")
    caplog.set_level(logging.INFO, "ghostbust")


@pytest.fixture
def daemon(home: Home, scripted: MakeSampler) -> Iterator[Daemon]:
    """Watches each hour."""
    config = Config(
        registry=RegistrySection(mode="snapshot"),
        jobs=JobsSection(watch=JobEntry(every="1h"), **OFF),
        selfcheck=SelfcheckSection(free_bytes=0),
    )
    clock = SimulatedClock(DAY)
    place = Workplace(
        home, config, [], lambda _: scripted(lambda _: ""), ["no"], threading.Event(), clock=clock
    )
    with Store.open(home.database):
        made = Daemon(place, clock)
        yield made
        made.scheduler.shutdown()


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


def test_nothing_begins_on_a_disk_without_room(daemon: Daemon, home: Home) -> None:
    daemon.run(minutes=1)
    settings = daemon.place.config.model_copy(
        update={"selfcheck": SelfcheckSection(free_bytes=1 << 62)}
    )
    daemon.timetable.fill(replace(daemon.place, config=settings))
    daemon.run(hours=5)
    assert len(daemon.watched) == 1
    (row,) = [row for row in stand(home, settings).rows if row.name == "watch"]
    assert row.outcome == "skipped"
    assert "MB left, which is less than selfcheck.free_bytes" in row.reason
    daemon.timetable.fill(daemon.place)
    daemon.run(minutes=2)
    assert len(daemon.watched) == 2, "within a minute, not at the next hour"


def test_a_database_that_fills_up_under_a_job_is_noted_when_there_is_room(
    daemon: Daemon, home: Home, full: Callable[[bool], None], caplog: pytest.LogCaptureFixture
) -> None:
    def write() -> None:
        full(True)
        with Store.open(home.database) as store:
            fill_up(store)

    daemon.act = write
    daemon.run(minutes=10)
    assert "watch: can't use the database" in caplog.text
    assert "the disk is full" in caplog.text
    assert len(daemon.watched) == 1
    caplog.clear()
    daemon.run(hours=3)
    assert len(daemon.watched) >= 1
    full(False)
    daemon.act = lambda: None
    daemon.run(hours=1)
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome == "ok"
        assert store.faults() == []


def test_a_read_only_database_holds_the_jobs_and_says_so_once(
    daemon: Daemon, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.run(minutes=1)
    opened = sqlite3.connect
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda path, **options: opened(path.replace("mode=rw", "mode=ro"), **options),
    )
    daemon.run(hours=6)
    assert len(daemon.watched) == 1, "nothing is begun that couldn't be kept"
    assert caplog.text.count("watch: waits: can't use the database") == 1
    found = stand(home, daemon.place.config)
    assert "it can't be written; check its permissions" in found.trouble
    monkeypatch.undo()
    daemon.run(minutes=2)
    assert len(daemon.watched) == 2
    assert stand(home, daemon.place.config).trouble == ""


def test_a_locked_database_holds_the_jobs_until_it_is_free(
    daemon: Daemon, home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    daemon.run(minutes=1)
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.01)
    other = sqlite3.connect(home.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    daemon.run(hours=3)
    assert len(daemon.watched) == 1
    assert caplog.text.count("another process wrote for more than") >= 1
    assert "another process wrote for more than" in stand(home, daemon.place.config).trouble
    other.execute("ROLLBACK")
    other.close()
    daemon.run(minutes=2)
    assert len(daemon.watched) == 2
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome == "ok"


def test_the_end_of_a_run_is_kept_in_mind_where_it_can_t_be_noted(
    daemon: Daemon, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Connection) -> None:
        raise StoreError("the disk is full")

    def act() -> None:
        monkeypatch.setattr(Connection, "write", broken)
        raise UnansweredError("the registries gave no answer for 3 names")

    daemon.act = act
    daemon.run(minutes=2)
    monkeypatch.undo()
    with Store.open(home.database) as store:
        assert store.jobs.get("watch").outcome is None
    daemon.act = lambda: None
    daemon.timetable.fill(daemon.place)
    told: list[tuple[str | None, int]] = []

    def look() -> None:
        with Store.open(home.database) as store:
            told.append((store.jobs.get("watch").outcome, store.jobs.get("watch").failures))

    daemon.act = look
    daemon.run(hours=2)
    assert told[0] == ("failed", 1), "it was noted before the next run began"


def test_a_registry_that_is_down_for_a_day_is_asked_each_hour_and_then_all_is_well(
    daemon: Daemon, home: Home
) -> None:
    def ask() -> None:
        if daemon.clock.now() < DAY + timedelta(days=1):
            raise UnansweredError("the registries gave no answer for 20 names")

    daemon.act = ask
    daemon.run(hours=23, minutes=59)
    (row,) = [row for row in stand(home, daemon.place.config).rows if row.name == "watch"]
    assert (row.outcome, row.reason) == ("failed", "the registries gave no answer for 20 names")
    assert row.failures == len(daemon.watched)
    assert max(b - a for a, b in zip(daemon.watched, daemon.watched[1:])) <= timedelta(hours=1)  # noqa: B905
    daemon.run(hours=2)
    with Store.open(home.database) as store:
        row = store.jobs.get("watch")
    assert (row.outcome, row.failures) == ("ok", 0)
