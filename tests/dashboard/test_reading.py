"""One reading: everything the tabs show, from a connection that only reads."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from ghostbust.dashboard import reading
from ghostbust.dashboard.reading import (
    NAMES,
    Query,
    StoreReader,
    job_state,
    read_activity,
    version_of,
)
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Promotion, Verdict, utc_now
from ghostbust.store.daemon import JobRow
from ghostbust.store.names import Decision, NameOrder
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, this_process
from tests.dashboard.board import Filler

EAST, WEST = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")
"""26 hours apart: never on the same day"""
AT = datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_a_missing_database_is_an_error_until_it_appears(home: Home, filler: Filler) -> None:
    reader = StoreReader(home)
    with pytest.raises(StoreError, match="no database"):
        reader.read(Query())
    assert not home.database.exists()
    filler.answers(["ghost"])

    assert [line.name.name for line in reader.read(Query()).names] == ["ghost"]


def test_a_snapshot_holds_what_the_store_holds(home: Home, filled: Filler) -> None:
    with filled.store() as store:
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-001", filled.clock())
        store.promotions.add(Promotion("round-0002-1a2b3c4d", None, "promote", "", filled.clock()))
    snapshot = StoreReader(home).read(Query())

    assert snapshot.counts.runs == 6
    assert snapshot.counts.names == 67
    assert snapshot.counts.claimed == 1
    assert [view.round.id for view in snapshot.rounds] == [2, 1]
    assert all(view.report is not None for view in snapshot.rounds)
    assert [view.round.id for view in snapshot.adapters] == [2, 1]
    assert (snapshot.deployed, snapshot.previous) == ("round-0002-1a2b3c4d", None)


def test_new_names_are_those_since_the_last_round_began(home: Home, filled: Filler) -> None:
    reader = StoreReader(home)
    assert reader.read(Query()).counts.new_names == 0
    filled.answers(["ghost-001", "later-1", "later-2"], seed=9)
    assert reader.read(Query()).counts.new_names == 2
    filled.round(RoundState.FAILED)  # which uses no names up
    counts = reader.read(Query()).counts
    assert (counts.new_names, counts.last_round) == (2, 2)


def test_names_follow_search_and_order(home: Home, filler: Filler) -> None:
    filler.answers([f"ghost-{number:03d}" for number in range(NAMES + 5)])
    reader = StoreReader(home)

    assert len(reader.read(Query()).names) == NAMES
    by_name = reader.read(Query(search="GHOST-00", order=NameOrder.NAME))
    assert [line.name.name for line in by_name.names] == [f"ghost-00{digit}" for digit in range(10)]
    assert by_name.query.search == "GHOST-00"


def test_repeats_are_those_of_what_serves(home: Home, filled: Filler) -> None:
    filled.answers(["ghost-007"], seed=3)
    with filled.store() as store:
        store.tallies.refresh_repeats()
        query = Query(search="ghost-007")
        (by_base,) = StoreReader(home).read(query).names
        store.promotions.add(Promotion("round-0002-1a2b3c4d", None, "promote", "", filled.clock()))
    (by_adapter,) = StoreReader(home).read(query).names
    assert (by_base.name.came_back, by_base.name.asked_again) == (2, 2)
    assert by_adapter.name.asked_again == 0


def test_the_latest_rates_are_one_for_each_adapter_and_kind_of_run(
    home: Home, filler: Filler
) -> None:
    filler.rate(0.3, None)
    filler.rate(0.02, "round-1", RunKind.GATE)
    filler.rate(0.2, None)
    filler.rate(0.25, None, RunKind.GATE)
    latest = StoreReader(home).read(Query()).latest_rates()

    assert [(point.adapter, point.kind, point.rate) for point in latest] == [
        (None, RunKind.GATE, 0.25),
        (None, RunKind.WATCH, 0.2),
        ("round-1", RunKind.GATE, 0.02),
    ]


def test_reading_changes_no_byte_and_leaves_no_lock(home: Home, filled: Filler) -> None:
    before = hashlib.sha256(home.database.read_bytes()).hexdigest()
    reader = StoreReader(home)
    reader.read(Query())
    assert hashlib.sha256(home.database.read_bytes()).hexdigest() == before

    # A writer that may not wait at all gets everything, the file as a whole included.
    writer = sqlite3.connect(home.database, timeout=0, isolation_level=None)
    try:
        writer.execute("BEGIN EXCLUSIVE")
        assert reader.read(Query()).counts.names == 67
        writer.execute("ROLLBACK")
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    finally:
        writer.close()


def test_figures_are_of_the_newest_round_unless_another_is_chosen(
    home: Home, filler: Filler
) -> None:
    with filler.store():
        pass
    reader = StoreReader(home)
    assert reader.read(Query(tab="rounds")).figures is None
    filler.round(RoundState.REJECTED, losses=(2.0, 1.0))
    filler.round(RoundState.WAITING, losses=(3.0, 2.5))
    newest = reader.read(Query(tab="rounds")).figures
    first = reader.read(Query(tab="rounds", round=1)).figures
    assert reader.read(Query(tab="rounds", round=1)).figures is first, "kept for the next second"
    assert newest is not None
    assert first is not None
    assert (newest.losses, first.losses) == ((3.0, 2.5), (2.0, 1.0))


def test_an_answer_is_read_anew_where_it_is_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"why?": {"zz-ghost": Verdict.ABSENT}})
    reader = StoreReader(home)
    hidden = reader.read(Query(tab="samples")).answer
    shown = reader.read(Query(tab="samples", reveal=True)).answer
    assert reader.read(Query(tab="samples", sample="no-such-answer")).answer is None
    assert hidden is not None
    assert shown is not None
    assert (hidden.revealed, shown.revealed) == (False, True)


def test_a_page_of_names_is_kept_while_nobody_writes(home: Home, filler: Filler) -> None:
    filler.answers(["ghost"])
    reader, version = StoreReader(home), version_of(home.database)
    kept = reader.read(Query(), version).names
    assert reader.read(Query(), version).names is kept
    filler.answers(["other"], seed=2)
    assert version_of(home.database) != version
    assert len(reader.read(Query(), version_of(home.database)).names) == 2


def test_popular_real_names_stand_beside_the_name_they_look_like(
    home: Home, filler: Filler
) -> None:
    filler.answers(["numpyy"])
    snapshot = StoreReader(home).read(Query(tab="names"))
    assert snapshot.known is not None
    assert snapshot.nearest == ("numpy",)


def test_today_is_the_day_of_the_zone(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        for zone, amount in ((EAST, 1.0), (WEST, 2.0)):
            day = utc_now().astimezone(zone).date()
            store.spending.take(day, {"samples": amount}, {})

        east = read_activity(store, home, EAST, reveal=False)
        west = read_activity(store, home, WEST, reveal=False)

    assert (east.spent, west.spent) == ((("samples", 1.0),), (("samples", 2.0),))


def test_who_holds_which_lock(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        assert read_activity(store, home, reveal=False).holders == ()
        with home.exclusive("daemon", home.daemon_lock), home.exclusive("round"):
            daemon, work = read_activity(store, home, reveal=False).holders
    assert daemon.startswith("daemon.lock: process ")
    assert daemon.endswith(" (daemon)")
    assert work.endswith(" (round)")


def test_the_log_is_of_all_tables_newest_first_and_redacted(
    home: Home, filled: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.store() as store:
        store.reviews.add(Ecosystem.PYPI, "ghost-001", Decision.ACCEPT, "no such thing")
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-002", filled.clock())
        hidden = read_activity(store, home, reveal=False).events
        shown = read_activity(store, home, reveal=True).events
        monkeypatch.setattr(reading, "EVENTS", 3)
        assert read_activity(store, home, reveal=False).events == hidden[:3]
    assert [event.at for event in hidden] == sorted((e.at for e in hidden), reverse=True)
    assert {"run", "round", "alarm", "review"} <= {event.what for event in hidden}
    assert not [event.text for event in hidden if "ghost-00" in event.text]
    assert "accept ghost-001: no such thing" in [event.text for event in shown]
    assert [e.text for e in shown if e.what == "alarm"] == [
        "ghost-002 (pypi) is registered now, nobody told"
    ]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (JobRow("watch"), "waits"),
        (JobRow("watch", failures=2), "failed 2 times"),
        (JobRow("watch", requested=AT, failures=2), "asked for"),
        (JobRow("watch", paused=AT, requested=AT), "paused"),
        (JobRow("watch", paused=AT, process="999999999:0"), "was killed"),
        (JobRow("watch", paused=AT, process=this_process()), "works"),
    ],
)
def test_what_a_job_does_now(job: JobRow, said: str) -> None:
    assert job_state(job) == said
