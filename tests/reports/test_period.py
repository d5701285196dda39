"""A period holds what began, moved or was found in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from ghostbust.reports.figures import Report
from ghostbust.reports.period import period_report
from ghostbust.store.store import Store

MakeReport = Callable[..., Report]
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def rows(report: Report, title: str) -> tuple[dict[str, object], ...]:
    return next(t for part in report.parts for t in part.tables if t.title == title).rows


def test_without_ends_it_is_everything(make_report: MakeReport) -> None:
    report = make_report("period")
    assert report.lead[0].startswith("Runs: 2. Rounds: 1. Invented names: 13")
    assert len(rows(report, "finished runs")) == 2
    assert [row["state"] for row in rows(report, "rounds")] == ["promoted"]
    assert len(rows(report, "claimed names")) == 1


def test_both_days_belong_to_it(store: Store) -> None:
    def moves(since: date, until: date) -> int:
        report = period_report(store, since, until, reveal=False, now=NOW)
        return len(rows(report, "moves of the deployed pointer"))

    assert moves(date(2026, 11, 2), date(2026, 11, 2)) == 1  # it was made at 00:00 of that day
    assert moves(date(2026, 11, 1), date(2026, 11, 1)) == 0
    assert moves(date(2026, 11, 3), date(2026, 11, 9)) == 0


def test_an_empty_period_is_said_to_be(store: Store) -> None:
    report = period_report(store, date(2001, 1, 1), date(2001, 1, 2), reveal=False, now=NOW)
    assert report.lead[0].startswith("Runs: 0. Rounds: 0. Invented names: 0")
    assert rows(report, "finished runs") == ()
