"""Jobs as text, and rows of the log that keep their keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ghostbust.dashboard.jobs_pane import jobs_text, log_rows
from ghostbust.dashboard.reading import Activity, Event
from ghostbust.home import Home
from ghostbust.store.daemon import JobRow
from tests.dashboard.board import Filler, open_board, printed

AT = datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_an_idle_home_says_so() -> None:
    text = printed(jobs_text(Activity((), (), (), ())), 78)
    assert "nobody works in the home folder now" in text
    assert "no daemon has scheduled a job here yet" in text
    assert "spent today" not in text


def test_jobs_spending_and_reasons_are_text() -> None:
    job = JobRow("watch", due=AT, outcome="failed", reason="[red]no\x1b model[/]", failures=1)
    activity = Activity(("lock: process 7 (watch)",), (job,), (("samples", 1234.0),), ())
    text = printed(jobs_text(activity), 78)
    assert "lock: process 7 (watch)" in text
    assert "failed once" in text
    assert "failed [red]no\\x1b model[/]" in " ".join(text.split())
    assert "spent today: samples 1,234" in text


def test_events_keep_their_keys_when_newer_ones_come() -> None:
    twice = [Event(AT, "run", "the same"), Event(AT, "run", "the same")]
    before = [row.key for row in log_rows(twice)]
    after = [row.key for row in log_rows([Event(AT + timedelta(1), "run", "new"), *twice])]
    assert len(set(before)) == 2
    assert after[1:] == before


async def test_jobs_and_the_log_are_live(home: Home, filler: Filler) -> None:
    filler.rate(0.1, None)
    async with open_board(home, size=(120, 40)) as board:
        await board.press("7")
        await board.until(lambda: "nobody works" in board.text("#jobs-text"))
        with home.exclusive("round"), filler.store() as store:
            store.jobs.begin("watch")
            await board.until(lambda: "lock: process" in board.text("#jobs-text"))
            await board.until(lambda: "works" in board.text("#jobs-text"))
            store.jobs.finish("watch", "failed", "[red]no model[/red]")
        await board.until(lambda: "failed [red]no model[/red]" in board.text("#jobs-text"))
        filler.rate(0.5, "round-9")
        await board.until(lambda: "of round-9: done" in board.rows("log")[0][2])
