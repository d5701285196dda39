"""What is worth a notification, and how it reaches a webhook or a program."""

from __future__ import annotations

import base64
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.loop.signals import JobDone
from ghostbust.operations.notify import (
    ATTEMPTS,
    WAITING,
    News,
    Notice,
    Notices,
    post,
    run,
    secret_of,
    signature,
)
from ghostbust.records import Ecosystem, Promotion
from ghostbust.sections import NotifySection
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.operations.conftest import wait_for

if TYPE_CHECKING:
    from tests.conftest import FillHome
    from tests.servers.webhook import Hook


NEWS = Notice("promotion", "round-0001 serves now", {"adapter": "round-0001"})


def test_a_webhook_gets_it_as_json(hook: Hook) -> None:
    assert post(NotifySection(webhook=hook.url), NEWS) == ""
    assert hook.got == [
        {
            "id": NEWS.id,
            "event": "promotion",
            "at": NEWS.at.isoformat(),
            "text": "round-0001 serves now",
            "adapter": "round-0001",
        }
    ]
    (headers,) = hook.headers
    assert headers["webhook-id"] == NEWS.id
    assert "webhook-signature" not in headers


@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_signature_is_standard_webhooks(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    key = b"a key of some bytes"
    told = prefix + base64.b64encode(key).decode() if prefix else key.decode()
    monkeypatch.setenv("HOOK_SECRET", told)
    assert post(NotifySection(webhook=hook.url, secret_env="HOOK_SECRET"), NEWS) == ""
    (headers,), (body,) = hook.headers, hook.bodies
    receiver = Webhook(key)
    assert receiver.verify(body, headers)["text"] == NEWS.text
    with pytest.raises(WebhookVerificationError):
        receiver.verify(body.replace(b"serves", b"server"), headers)


def test_the_headers_are_those_of_before() -> None:
    """Bit for bit the headers that were sent before the library made them (1708091)."""
    at = datetime(2026, 12, 1, 8, 30, 59, 999_999, tzinfo=UTC)
    assert signature(b"a key of some bytes", "msg_1", at, '{"text": "grün"}'.encode()) == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1796113859",
        "webhook-signature": "v1,RfStUYh/GRlU8f/houyGW1BHIgXzWDnvtuIt9Dkg4KQ=",
    }


@pytest.mark.parametrize("value", [None, "", "whsec_not base64!", "whsec_"])
def test_a_secret_that_cant_be_used(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("HOOK_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("HOOK_SECRET", value)
    with pytest.raises(ConfigError, match="HOOK_SECRET"):
        secret_of(NotifySection(secret_env="HOOK_SECRET"))


def test_it_is_tried_again_where_that_may_help(hook: Hook) -> None:
    settings = NotifySection(webhook=hook.url)
    hook.statuses = [503, 429]
    assert post(settings, NEWS, wait_s=0) == ""
    assert [got["id"] for got in hook.got] == [NEWS.id] * 3, "one id, so it can be told twice"
    hook.statuses = [404]
    assert post(settings, NEWS, wait_s=0) == "the webhook answered HTTP 404"
    assert len(hook.got) == 4
    hook.statuses = [500] * ATTEMPTS
    assert post(settings, NEWS, wait_s=0) == "the webhook answered HTTP 500"
    assert len(hook.got) == 4 + ATTEMPTS


def test_a_program_gets_it_on_standard_input(tmp_path: Path) -> None:
    out = tmp_path / "out; touch harm.json"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    news = Notice("claimed", "$(touch harm) `touch harm`; touch harm")
    assert run(NotifySection(command=(sys.executable, "-c", script, str(out))), news) == ""
    assert json.loads(out.read_text())["text"] == news.text
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_what_fails_is_logged_and_the_next_is_sent(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    counts: list[str] = []
    settings = NotifySection(webhook=hook.url, command=("/no/such/program",))
    hook.statuses = [404]
    notices = Notices(lambda: settings, counts.append, wait_s=0)
    notices.start()
    notices.send(NEWS)
    notices.send(Notice("low-disk", "hardly any"))
    notices.stop()
    assert [got["event"] for got in hook.got] == ["promotion", "low-disk"]
    assert counts == ["failed", "failed", "sent", "failed"]
    assert [r.getMessage() for r in caplog.records if r.name == "ghostbust.operations.notify"] == [
        "notify: promotion wasn't told: the webhook answered HTTP 404",
        "notify: promotion wasn't told: the program /no/such/program failed (FileNotFoundError)",
        "notify: low-disk wasn't told: the program /no/such/program failed (FileNotFoundError)",
    ]
    assert "se-cret" not in caplog.text.replace(f'"POST {hook.url}', ""), "but for httpx's own"


def test_a_broken_setting_harms_nothing(hook: Hook, caplog: pytest.LogCaptureFixture) -> None:
    settings = NotifySection(webhook=hook.url, secret_env="NEVER_SET_ANYWHERE")
    notices = Notices(lambda: settings)
    notices.start()
    notices.send(NEWS)
    notices.stop()
    assert "notify: promotion wasn't told: ConfigError" in caplog.text
    assert hook.got == [], "never unsigned where a signature is wanted"


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise 2.3
def test_apprise_sends_the_text_and_logs_no_address(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = hook.url.replace("http:", "json:")
    settings = NotifySection(apprise=(address, address, "nothing://se-cret"))
    hook.statuses = [204, 500]
    counts: list[str] = []
    notices = Notices(lambda: settings, counts.append)
    notices.start()
    notices.send(NEWS)
    notices.stop()
    assert [(got["title"], got["message"]) for got in hook.got] == [
        ("ghostbust: promotion", NEWS.text)
    ] * 2
    assert counts == ["sent", "failed", "failed"]
    assert "the json service of notify.apprise couldn't be reached" in caplog.text
    assert "se-cret" not in caplog.text


def test_only_wanted_events_are_sent(hook: Hook) -> None:
    settings = NotifySection(webhook=hook.url, events=("rollback",))
    notices = Notices(lambda: settings)
    notices.start()
    notices.send(NEWS)
    notices.send(Notice("rollback", "the base serves now"))
    notices.stop()
    assert [got["event"] for got in hook.got] == ["rollback"]


def test_too_many_are_dropped_and_nobody_waits() -> None:
    counts: list[str] = []
    notices = Notices(lambda: NotifySection(command=("/no/such/program",)), counts.append)
    for _ in range(WAITING + 5):  # nobody sends yet
        notices.send(NEWS)
    assert counts == ["dropped"] * 5


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


def test_the_whole_way_to_a_webhook(home: Home, hook: Hook) -> None:
    settings = NotifySection(webhook=hook.url, free_bytes=0)
    news = News(home, lambda: settings, Notices(lambda: settings))
    Store.open(home.database).close()
    news.look()
    news.start()
    add(home)
    news.job_done(JobDone("round", "ok", 5, ""))
    wait_for(lambda: len(hook.got) == 3)
    news.stop()
    assert [got["event"] for got in hook.got] == ["promotion", "rollback", "gates-failed"]
