"""A store with a round, its base and its adapter, and reports made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.reports.document import Report
from ghostbust.reports.subjects import comparison_report, period_report, round_report, run_report
from ghostbust.store.store import Store

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def adapter(home: Home, fill_home: Callable[[Home], str]) -> str:
    """The name of the adapter in the filled store."""
    return fill_home(home)


@pytest.fixture
def store(home: Home, adapter: str) -> Iterator[Store]:
    """The filled store, which nothing here may write to."""
    with Store.open(home.database, read_only=True) as store:
        yield store


MakeReport = Callable[..., Report]


@pytest.fixture
def make_report(store: Store, adapter: str) -> MakeReport:
    """Makes a report of each subject by its word."""

    def make(subject: str, *, reveal: bool = False) -> Report:
        match subject:
            case "run":
                return run_report(store, 1, reveal=reveal, now=NOW)
            case "round":
                return round_report(store, 1, reveal=reveal, now=NOW)
            case "adapters":
                return comparison_report(store, "base", adapter, reveal=reveal, now=NOW)
        return period_report(store, None, None, reveal=reveal, now=NOW)

    return make
