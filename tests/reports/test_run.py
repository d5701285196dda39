"""A run's report has the figures that the run printed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import Estimate
from ghostbust.reports.round import run_report
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_its_rates_are_the_stored_ones_and_the_volume_has_an_interval(store: Store) -> None:
    report = run_report(store, 1, reveal=False, now=NOW)
    stored = store.runs.get(1).measurement
    assert stored is not None
    rows = report.parts[0].tables[0].rows
    assert [row["context"] for row in rows] == ["all", "code", "helps"]
    assert rows[0]["rate"] == Estimate(stored.rate, *stored.ci95)
    assert rows[0]["volume"] == Estimate(1.0, 1.0, 1.0)
    assert len(report.names) == 13


def test_a_run_that_is_under_way_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 0))
        report = run_report(store, 1, reveal=False, now=NOW)
        assert report.lead == (
            "No answer is logged.",
            "The run is running, so these figures are of what it had logged.",
        )
        with pytest.raises(UsageError, match="no run 2"):
            run_report(store, 2, reveal=False, now=NOW)
