"""Jobs as text, and rows of the log that keep their keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from ghostbust.dashboard.jobs_pane import _numbered, jobs_text
from ghostbust.dashboard.reading import Activity, Event
from ghostbust.store.daemon import JobRow

AT = datetime(2026, 12, 1, 8, tzinfo=UTC)


def said(activity: Activity) -> str:
    console = Console(width=78, file=StringIO())
    with console.capture() as captured:
        console.print(jobs_text(activity))
    return captured.get()


def test_nothing_is_said_to_be_nothing() -> None:
    text = said(Activity((), (), (), ()))
    assert "nobody works in the home folder now" in text
    assert "no daemon has scheduled a job here yet" in text
    assert "spent today" not in text


def test_jobs_spending_and_reasons_are_text() -> None:
    job = JobRow("watch", due=AT, outcome="failed", reason="[red]no\x1b model[/]", failures=1)
    text = said(Activity(("lock: process 7 (watch)",), (job,), (("samples", 1234.0),), ()))
    assert "lock: process 7 (watch)" in text
    assert "failed once" in text
    assert "failed [red]no\\x1b model[/]" in " ".join(text.split())
    assert "spent today: samples 1,234" in text


def test_events_keep_their_keys_when_newer_ones_come() -> None:
    twice = [Event(AT, "run", "the same"), Event(AT, "run", "the same")]
    before = [key for key, _ in _numbered(twice)]
    after = [key for key, _ in _numbered([Event(AT + timedelta(1), "run", "new"), *twice])]
    assert len(set(before)) == 2
    assert after[1:] == before
