"""The light and the next command, by what the store holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ghostbust.config import Config
from ghostbust.dashboard.overview import overview
from ghostbust.dashboard.reading import Activity, Query, StoreCounts, StoreReader, StoreSnapshot
from ghostbust.dashboard.standing import (
    Light,
    names_kept,
    newest_rate,
    rate_of_last_week,
    standing,
)
from ghostbust.home import Home
from ghostbust.records import Promotion
from ghostbust.sections import DaemonSection
from ghostbust.store.daemon import JobRow
from ghostbust.store.runs import RatePoint, RunKind
from tests.dashboard.board import Filler, printed

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SETTINGS = Config(daemon=DaemonSection(round_min_new=200))
WAITS = "round-0002-1a2b3c4d"
"""the adapter of `filled` that waits for a decision"""


def point(days: float, rate: float, **fields: Any) -> RatePoint:
    """A watch of the base so many days ago, its rate with an interval of 0.05 to each side."""
    at = NOW - timedelta(days=days)
    made = RatePoint(
        1, RunKind.WATCH, "coder", None, at, rate, (rate - 0.05, rate + 0.05), 1.0, 300, "0"
    )
    return replace(made, **fields)


WATCHED = StoreSnapshot(
    at=NOW, query=Query(), deployed=None, previous=None, moves=(),
    counts=StoreCounts(runs=3, names=40, new_names=40, last_round=None, claimed=0, undecided=0),
    names=(), found=0, rounds=(), adapters=(), rates=(point(0.1, 0.3),),
    activity=Activity(("daemon.lock: process 71 (starting)",), (), (), ()),
)  # fmt: skip


def counted(**fields: int) -> dict[str, Any]:
    return {"counts": replace(WATCHED.counts, **fields)}


def working(*jobs: JobRow) -> dict[str, Any]:
    return {"activity": Activity(("daemon.lock: process 71 (starting)",), jobs, (), ())}


@pytest.mark.parametrize(
    ("held", "light", "why", "command"),
    [
        ({}, Light.WELL, "watched", ""),
        (counted(undecided=1), Light.ACT, "1 invented name is registered now", "names list"),
        (counted(undecided=2), Light.ACT, "2 invented names are registered now", "names list"),
        (working(JobRow("watch", failures=2, reason="no answer")), Light.LOOK,
         "watch failed: no answer", "jobs list"),
        (working(JobRow("watch", process="0:0")), Light.LOOK, "watch was killed", "jobs list"),
        (working(JobRow("watch", reason="ok")), Light.WELL, "watched", ""),
        ({"rates": ()}, Light.LOOK, "nothing was measured yet", "sweep"),
        ({"rates": (point(0, 0.3, adapter="one"),)}, Light.LOOK, "measured yet", "sweep"),
        ({"rates": (point(0, float("nan")),)}, Light.LOOK, "measured yet", "sweep"),
        ({"rates": (point(7, 0.1), point(0, 0.3))}, Light.LOOK, "more than a week ago", "report"),
        ({"rates": (point(7, 0.25), point(0, 0.3))}, Light.WELL, "watched", ""),
        ({"rates": (point(9, 0.3),)}, Light.LOOK, "for 9 days", "sweep"),
        (counted(claimed=3), Light.WELL, "watched", ""),
        (counted(new_names=200), Light.LOOK, "enough new inventions", "round"),
        ({"activity": Activity((), (), (), ())}, Light.WELL, "no daemon", "daemon"),
        (counted(undecided=1, new_names=999), Light.ACT, "registered now", "names list"),
    ],
)  # fmt: skip
def test_the_gravest_thing_is_said(
    held: dict[str, Any], light: Light, why: str, command: str
) -> None:
    found = standing(replace(WATCHED, **held), SETTINGS.daemon)
    assert found.light is light
    assert why in found.why
    assert found.command == (f"ghostbust {command}" if command else "")


@pytest.mark.parametrize(
    ("old", "counts"),
    [
        (point(7, 0.2), True),
        (point(5, 0.2, adapter="what served then"), True),
        (point(2, 0.2), False),
        (point(20, 0.2), False),
        (point(7, 0.2, kind=RunKind.SWEEP), False),
        (point(7, 0.2, model="other"), False),
        (point(7, 0.2, measure="an older measure"), False),
    ],
)
def test_only_like_is_set_beside_like(old: RatePoint, counts: bool) -> None:
    held = replace(WATCHED, rates=(old, point(0, 0.3)))
    newest = newest_rate(held)
    assert newest is not None
    assert newest.rate == 0.3
    assert rate_of_last_week(held, newest) == (old if counts else None)


@pytest.mark.parametrize(
    ("deployed", "changed", "kept"),
    [
        (True, {}, 1.02),
        (False, {}, None),
        (True, {"gate": "other"}, None),
        (True, {"details": {"ratio": 1.02}}, None),  # by an older measure, of all real names
        (True, {"details": {"ratio": float("nan"), "all_ratio": 0.7}}, None),
        (True, {"details": {"all_ratio": 0.7}}, None),
    ],
)
def test_supported_names_are_of_what_serves(
    home: Home, filled: Filler, deployed: bool, changed: dict[str, Any], kept: float | None
) -> None:
    if deployed:
        with filled.store() as store:
            store.promotions.add(Promotion(WAITS, None, "promote", "", filled.clock()))
    held = StoreReader(home).read(Query())
    view = next(view for view in held.adapters if view.row.candidate.name == WAITS)
    assert view.report is not None
    results = tuple(
        replace(one, **changed) if one.gate == "volume" else one for one in view.report.results
    )
    view = replace(view, report=replace(view.report, results=results))
    found = names_kept(replace(held, adapters=(view,)))
    assert (found and found.details["ratio"]) == kept


def test_the_home_says_how_many_supported_names_are_left(home: Home, filled: Filler) -> None:
    assert "supported" not in printed(overview(StoreReader(home).read(Query()), SETTINGS), 80)
    with filled.store() as store:
        store.promotions.add(Promotion(WAITS, None, "promote", "", filled.clock()))
    lines = printed(overview(StoreReader(home).read(Query()), SETTINGS), 80).splitlines()
    assert "names  1.92 real ones an answer; supported: 1.02 of the base's" in lines


def test_an_adapter_that_waits_is_named(home: Home, filled: Filler) -> None:
    found = standing(StoreReader(home).read(Query()), SETTINGS.daemon)
    assert (found.light, found.command) == (
        Light.ACT,
        "ghostbust adapters show round-0002-1a2b3c4d",
    )


def test_the_home_and_the_last_runs_stand_above_the_fold(home: Home, filled: Filler) -> None:
    snapshot = StoreReader(home).read(Query())
    lines = printed(overview(snapshot, SETTINGS), 80).splitlines()
    assert lines[0].startswith("■ act  round-0002-1a2b3c4d waits for a decision")
    assert lines[1] == "next  ghostbust adapters show round-0002-1a2b3c4d"
    shown = [n for n, line in enumerate(lines) if line.startswith(("run ", "1 ", "2 ", "3 "))]
    assert shown
    assert shown[-1] < 20
