"""What the store, the disk and the jobs have to tell; once, and without names in full."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.loop.signals import JobDone
from ghostbust.operations.notify import News, Notice, Notices
from ghostbust.records import Ecosystem, Promotion
from ghostbust.sections import NotifySection
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.conftest import FillHome
    from tests.servers.webhook import Hook

AT = datetime(2026, 12, 1, tzinfo=UTC)


class Kept(Notices):
    """Keeps what it should send."""

    def __init__(self) -> None:
        super().__init__(NotifySection)
        self.sent: list[Notice] = []

    def send(self, notice: Notice) -> None:
        self.sent.append(notice)

    @property
    def events(self) -> list[str]:
        return [notice.event for notice in self.sent]


def news_of(home: Home, kept: Notices, **settings: object) -> News:
    section = NotifySection.model_validate({"free_bytes": 0, **settings})
    return News(home, lambda: section, kept, lambda text: text.replace("s3cret", "***"))


def add(home: Home) -> None:
    """A rejected round, a promotion, a rollback."""
    with Store.open(home.database) as store:
        number = store.rounds.start(model="m", method="au", seed=0, settings={})
        store.rounds.set_state(number, RoundState.REJECTED, "volume FAIL\x1b[2J s3cret")
        store.promotions.add(Promotion("round-7", None, "promote", "every gate passed", AT))
        store.promotions.add(Promotion(None, "round-7", "rollback", "asked for", AT))


def test_only_what_is_new_is_told_and_once(home: Home, fill_home: FillHome) -> None:
    fill_home(home)
    kept = Kept()
    news = news_of(home, kept)
    news.look()
    assert kept.sent == [], "what was there before the daemon is no news"
    add(home)
    news.look()
    news.look()
    assert kept.events == ["promotion", "rollback", "gates-failed"]
    promoted, back, failed = kept.sent
    assert promoted.text == "round-7 serves now instead of the base: every gate passed"
    assert promoted.about == {"adapter": "round-7", "previous": None}
    assert back.text == "the base serves now instead of round-7: asked for"
    assert failed.text == "round 2 was rejected: volume FAIL\\x1b[2J ***"
    assert failed.about["round"] == 2


def test_a_database_that_comes_later_is_news_as_a_whole(home: Home) -> None:
    kept = Kept()
    news = news_of(home, kept)
    news.look()
    add(home)
    news.look()
    assert kept.events == ["promotion", "rollback", "gates-failed"]


@pytest.mark.parametrize("reveal", [False, True])
def test_claimed_names_are_redacted_unless_asked_for(
    home: Home, fill_home: FillHome, reveal: bool
) -> None:
    kept = Kept()
    news = news_of(home, kept, reveal=reveal)
    news.look()
    fill_home(home)
    news.look()
    (claimed,) = [notice for notice in kept.sent if notice.event == "claimed"]
    full = "zz-harbor-toolkit" in f"{claimed.text} {claimed.about}"
    assert full is reveal
    assert "zz-" in claimed.text
    assert claimed.about["ecosystem"] == str(Ecosystem.PYPI)
    assert claimed.about["purl"] == ("pkg:pypi/zz-harbor-toolkit" if reveal else None)


def test_a_job_that_fails_again_and_again_is_told_once(home: Home) -> None:
    kept = Kept()
    news = news_of(home, kept, failures=2)
    for state in ("failed", "skipped", "failed", "failed", "ok", "failed", "failed"):
        news.job_done(JobDone("watch", state, 1, "401 for s3cret"))
    news.job_done(JobDone("round", "failed", 1, "no room"))
    assert kept.events == ["job-failing", "job-failing"]
    assert kept.sent[0].text == "watch failed 2 times in a row: 401 for ***"


def test_low_disk_is_told_once_until_there_is_room_again(home: Home) -> None:
    kept, free = Kept(), [50]
    settings = NotifySection(free_bytes=100)
    news = News(home, lambda: settings, kept, free_bytes=lambda _: free[0])
    for now in (50, 40, 105, 50, 111, 99):
        free[0] = now
        news.look()
    assert kept.events == ["low-disk", "low-disk"]
    assert kept.sent[0].about == {"free_bytes": 50, "least_bytes": 100}


def test_the_whole_way_to_a_webhook(home: Home, hook: Hook, until: Callable[..., None]) -> None:
    settings = NotifySection(webhook=hook.url, free_bytes=0)
    news = News(home, lambda: settings, Notices(lambda: settings))
    Store.open(home.database).close()
    news.look()
    news.start()
    add(home)
    news.job_done(JobDone("round", "ok", 5, ""))
    until(lambda: len(hook.got) == 3)
    news.stop()
    assert [got["event"] for got in hook.got] == ["promotion", "rollback", "gates-failed"]
