"""Jobs, budgets to the unit, and what was added since: every process's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.home import Home
from ghostbust.records import Ecosystem, Promotion
from ghostbust.store.daemon import Grown, JobRow, Marks, Waiting
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.store.conftest import Clock

if TYPE_CHECKING:
    from tests.conftest import FillHome

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY, NEXT = date(2026, 11, 28), date(2026, 11, 29)


def test_a_run_of_a_job_from_begin_to_finish(store: Store, clock: Clock) -> None:
    assert store.jobs.get("watch") == JobRow("watch")
    assert store.jobs.all() == {}
    store.jobs.request("watch")
    store.jobs.schedule("watch", AT)
    assert store.jobs.get("watch").requested == clock()
    began = clock.step(minutes=1)
    store.jobs.begin("watch")
    row = store.jobs.get("watch")
    assert row.works
    assert (row.requested, row.started, row.finished) == (None, began, None)
    ended = clock.step(minutes=1)
    store.jobs.finish("watch", "failed", "nobody answers")
    assert store.jobs.get("watch") == JobRow(
        "watch", None, None, AT, began, ended, "failed", "nobody answers", 1, None
    )


def test_failures_of_a_job_count_until_a_run_is_ok(store: Store) -> None:
    for outcome, failures in (("failed", 1), ("failed", 2), ("skipped", 2), ("ok", 0)):
        store.jobs.finish("watch", outcome, "")  # type: ignore[arg-type]
        assert store.jobs.get("watch").failures == failures


def test_a_job_is_paused_until_resumed_also_for_another_process(store: Store, path: Path) -> None:
    with Store.open(path) as other:
        store.jobs.pause("round")
        assert other.jobs.get("round").paused is not None
        other.jobs.resume("round")
        assert store.jobs.all()["round"].paused is None


def test_a_job_whose_process_has_ended_was_killed(store: Store) -> None:
    store.jobs.begin("watch")
    with store._connection.write() as connection:
        connection.execute("UPDATE jobs SET process = '999999999:1'")
    row = store.jobs.get("watch")
    assert row.was_killed
    assert not row.works


def test_all_of_the_amounts_are_spent_or_none(store: Store) -> None:
    limits = {"samples": 10.0, "tokens": 100.0}
    assert store.spending.take(DAY, {"samples": 9, "tokens": 90}, limits)
    assert not store.spending.take(DAY, {"samples": 1, "tokens": 11}, limits)
    assert store.spending.of(DAY) == {"samples": 9, "tokens": 90}
    assert store.spending.take(DAY, {"samples": 1, "tokens": 10}, limits)
    assert not store.spending.take(DAY, {"samples": 1}, limits)
    assert store.spending.take(NEXT, {"samples": 1}, limits), "another day"


def test_what_was_not_used_is_given_back_and_without_a_limit_spending_is_counted(
    store: Store, path: Path
) -> None:
    store.spending.take(DAY, {"tokens": 128}, {"tokens": 128})
    store.spending.take(DAY, {"tokens": -100}, {"tokens": 10})
    for _ in range(2):
        assert store.spending.take(DAY, {"gpu_minutes": 0.25}, {})
    with Store.open(path) as other:
        assert other.spending.of(DAY) == {"tokens": 28, "gpu_minutes": 0.5}


def test_several_at_once_never_spend_more_than_there_is(path: Path) -> None:
    Store.open(path).close()
    taken: list[bool] = []

    def take() -> None:
        with Store.open(path) as store:
            taken.extend(
                store.spending.take(DAY, {"registry_requests": 1}, {"registry_requests": 50})
                for _ in range(20)
            )

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(take) for _ in range(4)]:
            done.result()
    assert (taken.count(True), taken.count(False)) == (50, 30)


def test_nothing_has_grown_in_an_empty_database(store: Store) -> None:
    growth = store.growth
    assert growth.marks() == Marks(0, 0)
    assert growth.between(Marks(), growth.marks()) == Grown(0, 0, {}, 0)
    assert (growth.round_states(), growth.moves(), store.ledger.claimed()) == ({}, {}, 0)
    assert growth.waiting() == {"review": Waiting(0, None), "alarms": Waiting(0, None)}
    assert growth.newest_time() is None


def test_what_came_in_between(tmp_path: Path, fill_home: FillHome) -> None:
    home = Home.open(tmp_path / "home")
    fill_home(home)
    with Store.open(home.database) as store:
        growth, marks = store.growth, store.growth.marks()
        grown = growth.between(Marks(), marks)
        # Each answer has 9 tokens and names requests once.
        answers = list(store.answers.read())
        assert (grown.samples, grown.tokens) == (len(answers), 9 * len(answers))
        assert grown.refs["REAL"] == len(answers)
        assert sum(grown.refs.values()) == sum(len(answer.judged) for answer in answers)
        assert grown.inventions == len(store.ledger.hallucinations(limit=1000))
        assert growth.between(marks, growth.marks()) == Grown(0, 0, {}, 0)
        assert growth.round_states() == {"promoted": 1}
        assert store.ledger.claimed() == growth.waiting()["alarms"].count == 1


def test_moves_what_waits_and_the_newest_time(store: Store, clock: Clock) -> None:
    at = clock() + timedelta(days=30)
    store.promotions.add(Promotion("a", None, "promote", "", at))
    store.promotions.add(Promotion(None, "a", "rollback", "", at + timedelta(hours=1)))
    number = store.rounds.start(model="m", method="au", seed=0, settings={})
    store.rounds.set_state(number, RoundState.WAITING)
    assert store.growth.moves() == {"promote": 1, "rollback": 1}
    assert store.growth.waiting()["review"] == Waiting(1, clock())
    assert store.growth.newest_time() == at + timedelta(hours=1)
    store.ledger.mark_claimed(Ecosystem.PYPI, "never-invented", at)
    assert store.ledger.claimed() == 0, "only an invented name can be claimed"
