"""Only what is new is counted, and every process's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ghostbust.home import Home
from ghostbust.records import Ecosystem, Promotion, utc_now
from ghostbust.store.daemon import Marks
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FillHome


def test_nothing_in_an_empty_database(tmp_path: Path) -> None:
    with Store.open(tmp_path / "x.db") as store:
        growth = store.growth
        assert growth.marks() == Marks(0, 0)
        grown = growth.between(Marks(), growth.marks())
        assert (grown.samples, grown.tokens, grown.refs, grown.inventions) == (0, 0, {}, 0)
        assert (growth.round_states(), growth.moves(), growth.claimed()) == ({}, {}, 0)
        assert {name: w.count for name, w in growth.waiting().items()} == {"review": 0, "alarms": 0}
        assert growth.waiting()["review"].since is None
        assert growth.newest_time() is None


def test_what_came_in_between(tmp_path: Path, fill_home: FillHome) -> None:
    home = Home.open(tmp_path / "home")
    fill_home(home)
    with Store.open(home.database) as store:
        growth, marks = store.growth, store.growth.marks()
        grown = growth.between(Marks(), marks)
        # 96 answers of 9 tokens each name requests and a hostile name; 24 + 8 one more, and
        # those of one family the claimed one too.
        answers = list(store.answers.read())
        named = sum(len(answer.judged) for answer in answers)
        assert (grown.samples, grown.tokens) == (len(answers), 9 * len(answers))
        assert grown.refs["REAL"] == len(answers)
        assert sum(grown.refs.values()) == named
        assert grown.inventions == len(store.ledger.hallucinations(limit=1000))
        again = growth.between(marks, growth.marks())
        assert (again.samples, again.refs, again.inventions) == (0, {}, 0)
        assert growth.round_states() == {"promoted": 1}
        assert growth.claimed() == 1
        assert growth.waiting()["alarms"].count == 1


def test_moves_what_waits_and_the_newest_time(tmp_path: Path) -> None:
    with Store.open(tmp_path / "x.db") as store:
        at = datetime(2027, 1, 1, tzinfo=UTC)
        store.promotions.add(Promotion("a", None, "promote", "", at))
        store.promotions.add(Promotion(None, "a", "rollback", "", at + timedelta(hours=1)))
        number = store.rounds.start(model="m", method="au", seed=0, settings={})
        store.rounds.set_state(number, RoundState.WAITING)
        assert store.growth.moves() == {"promote": 1, "rollback": 1}
        waits = store.growth.waiting()["review"]
        assert waits.count == 1
        assert waits.since is not None
        assert abs((utc_now() - waits.since).total_seconds()) < 60
        assert store.growth.newest_time() == at + timedelta(hours=1)
        store.ledger.mark_claimed(
            Ecosystem.PYPI, "never-invented", at + timedelta(days=9), first_released=None
        )
        assert store.growth.claimed() == 0, "only an invented name can be claimed"
