"""A job's row says when it ran, what came of it, and what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ghostbust.store.daemon import JobRow
from ghostbust.store.store import Store

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ghostbust.db"


def test_an_unknown_job_has_nothing_but_its_name(path: Path) -> None:
    with Store.open(path) as store:
        assert store.jobs.get("watch") == JobRow("watch")
        assert store.jobs.all() == {}


def test_a_run_from_begin_to_finish(path: Path) -> None:
    times = iter(AT + timedelta(minutes=n) for n in range(9))
    with Store.open(path, now=lambda: next(times)) as store:
        store.jobs.request("watch")
        store.jobs.schedule("watch", AT + timedelta(hours=1))
        assert store.jobs.get("watch").requested == AT
        store.jobs.begin("watch")
        row = store.jobs.get("watch")
        assert row.works
        assert (row.requested, row.started, row.finished) == (None, AT + timedelta(minutes=1), None)
        store.jobs.finish("watch", "failed", "nobody answers")
        row = store.jobs.get("watch")
        assert not row.works
        assert not row.was_killed
        assert (row.outcome, row.reason, row.failures) == ("failed", "nobody answers", 1)
        assert row.due == AT + timedelta(hours=1)


def test_failures_count_until_a_run_is_ok(path: Path) -> None:
    with Store.open(path) as store:
        for outcome, failures in (("failed", 1), ("failed", 2), ("skipped", 2), ("ok", 0)):
            store.jobs.finish("watch", outcome, "")  # type: ignore[arg-type]
            assert store.jobs.get("watch").failures == failures


def test_paused_until_resumed_also_for_another_process(path: Path) -> None:
    with Store.open(path) as one, Store.open(path) as other:
        one.jobs.pause("round")
        assert other.jobs.get("round").paused is not None
        other.jobs.resume("round")
        assert one.jobs.all()["round"].paused is None


def test_a_run_whose_process_is_gone_was_killed(path: Path) -> None:
    with Store.open(path) as store:
        store.jobs.begin("watch")
        with store._connection.write() as connection:
            connection.execute("UPDATE jobs SET process = '999999999:1'")
        row = store.jobs.get("watch")
        assert row.was_killed
        assert not row.works
