"""One reading: everything the tabs show, from a connection that only reads."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from ghostbust.dashboard.reading import NAMES, Query, Reader
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Promotion
from ghostbust.store.names import NameOrder
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler


def test_a_missing_database_is_an_error_and_none_is_made(home: Home) -> None:
    with pytest.raises(StoreError, match="no database"):
        Reader(home.database).read(Query())

    assert not home.database.exists()


def test_a_database_that_appears_later_is_found(home: Home, filler: Filler) -> None:
    reader = Reader(home.database)
    with pytest.raises(StoreError):
        reader.read(Query())
    filler.answers(["ghost"])

    assert [line.name.name for line in reader.read(Query()).names] == ["ghost"]


def test_a_snapshot_holds_what_the_store_holds(home: Home, filled: Filler) -> None:
    with filled.store() as store:
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-001", filled.clock())
        store.promotions.add(Promotion("round-0002-1a2b3c4d", None, "promote", "", filled.clock()))
    snapshot = Reader(home.database).read(Query())

    assert snapshot.counts.runs == 6
    assert snapshot.counts.names == 67
    assert snapshot.counts.claimed == 1
    assert [view.round.id for view in snapshot.rounds] == [2, 1]
    assert all(view.report is not None for view in snapshot.rounds)
    assert [view.deployed for view in snapshot.adapters] == [True, False]
    assert (snapshot.deployed, snapshot.previous) == ("round-0002-1a2b3c4d", None)


def test_new_names_are_those_since_the_last_round_began(home: Home, filled: Filler) -> None:
    reader = Reader(home.database)
    assert reader.read(Query()).counts.new_names == 0
    filled.answers(["ghost-001", "later-1", "later-2"], seed=9)

    assert reader.read(Query()).counts.new_names == 2


def test_a_failed_round_uses_no_names_up(home: Home, filler: Filler) -> None:
    filler.round(RoundState.REJECTED)
    filler.answers(["ghost"])
    filler.round(RoundState.FAILED)
    counts = Reader(home.database).read(Query()).counts

    assert (counts.new_names, counts.last_round) == (1, 1)


def test_names_follow_search_and_order(home: Home, filler: Filler) -> None:
    filler.answers([f"ghost-{number:03d}" for number in range(NAMES + 5)])
    reader = Reader(home.database)

    assert len(reader.read(Query()).names) == NAMES
    by_name = reader.read(Query(search="GHOST-00", order=NameOrder.NAME))
    assert [line.name.name for line in by_name.names] == [f"ghost-00{digit}" for digit in range(10)]
    assert by_name.query.search == "GHOST-00"


def test_repeats_are_those_of_what_serves(home: Home, filled: Filler) -> None:
    filled.answers(["ghost-007"], seed=3)
    with filled.store() as store:
        store.tallies.refresh_repeats()
        query = Query(search="ghost-007")
        (by_base,) = Reader(home.database).read(query).names
        store.promotions.add(Promotion("round-0002-1a2b3c4d", None, "promote", "", filled.clock()))
    (by_adapter,) = Reader(home.database).read(query).names
    assert (by_base.name.came_back, by_base.name.asked_again) == (2, 2)
    assert by_adapter.name.asked_again == 0


def test_the_latest_rates_are_one_for_each_adapter_and_kind_of_run(
    home: Home, filler: Filler
) -> None:
    filler.rate(0.3, None)
    filler.rate(0.02, "round-1", RunKind.GATE)
    filler.rate(0.2, None)
    filler.rate(0.25, None, RunKind.GATE)
    latest = Reader(home.database).read(Query()).latest_rates()

    assert [(point.adapter, point.kind, point.rate) for point in latest] == [
        (None, RunKind.GATE, 0.25),
        (None, RunKind.WATCH, 0.2),
        ("round-1", RunKind.GATE, 0.02),
    ]


def test_reading_changes_no_byte_and_leaves_no_lock(home: Home, filled: Filler) -> None:
    before = hashlib.sha256(home.database.read_bytes()).hexdigest()
    reader = Reader(home.database)
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


def test_an_open_round_has_no_gates_yet(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        store.rounds.start(model="made-up-model", method="au", seed=1, settings={})
    (view,) = Reader(home.database).read(Query()).rounds

    assert view.report is None
    assert view.round.state is RoundState.STARTED
