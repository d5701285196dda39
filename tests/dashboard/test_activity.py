"""Who works, what a job does, what was spent on which day, and the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from ghostbust.dashboard.reading import EVENTS, Event, job_state, read_activity
from ghostbust.home import Home
from ghostbust.records import Ecosystem, utc_now
from ghostbust.store.daemon import JobRow
from ghostbust.store.names import Decision
from ghostbust.store.runs import this_process

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler

EAST, WEST = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Etc/GMT+12")
"""26 hours apart: never on the same day"""
AT = datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_today_is_the_day_of_the_zone(filler: Filler) -> None:
    with filler.store() as store:
        for zone, amount in ((EAST, 1.0), (WEST, 2.0)):
            day = utc_now().astimezone(zone).date()
            store.spending.take(day, {"samples": amount}, {})

        east = read_activity(store, None, reveal=False, zone=EAST)
        west = read_activity(store, None, reveal=False, zone=WEST)

    assert (east.spent, west.spent) == ((("samples", 1.0),), (("samples", 2.0),))


def test_who_holds_which_lock(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        assert read_activity(store, home, reveal=False).holders == ()
        with home.exclusive("daemon", home.daemon_lock), home.exclusive("round"):
            daemon, work = read_activity(store, home, reveal=False).holders
    assert daemon.startswith("daemon.lock: process ")
    assert daemon.endswith(" (daemon)")
    assert work.endswith(" (round)")


def test_the_log_is_of_all_tables_newest_first_and_redacted(filled: Filler) -> None:
    with filled.store() as store:
        store.reviews.add(Ecosystem.PYPI, "ghost-001", Decision.ACCEPT, "no such thing")
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-002", filled.clock())
        hidden = read_activity(store, None, reveal=False).events
        shown = read_activity(store, None, reveal=True).events

    assert [event.at for event in hidden] == sorted((e.at for e in hidden), reverse=True)
    assert {"run", "round", "alarm", "review"} <= {event.what for event in hidden}
    assert not [event.text for event in hidden if "ghost-00" in event.text]
    assert "accept ghost-001: no such thing" in [event.text for event in shown]
    assert [e.text for e in shown if e.what == "alarm"] == [
        "ghost-002 (pypi) is registered now, nobody told"
    ]


def test_the_log_is_the_newest_of_many(filler: Filler) -> None:
    for _ in range(EVENTS + 3):
        filler.rate(0.1, None)
    with filler.store() as store:
        events = read_activity(store, None, reveal=False).events
    assert len(events) == EVENTS
    assert isinstance(events[0], Event)
    assert events[0].text.startswith(f"{EVENTS + 3} watch of base: done")


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
