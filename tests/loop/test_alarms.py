"""Whom an alarm reaches, and that one who was down hears of it later."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.recheck import tell_alarms
from ghostbust.loop.watch import Watcher
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import AlarmSection
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler
    from tests.servers.webhook import Hook

AT = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def alarm(store: Store, judge: Judge, scripted: MakeSampler) -> None:
    """One invented name that was claimed."""
    prompt = Prompt("do it", Context.CODE, Ecosystem.PYPI, "family")
    text = "```bash\npip install zz-ghost-1 zz-ghost-2\n```"
    watcher = Watcher(store, scripted(lambda _: text), judge, SamplingSettings())
    watcher.prompts([prompt], RunKind.WATCH)
    store.ledger.mark_claimed(
        Ecosystem.PYPI, "zz-ghost-1", AT, first_released=AT, uploader="squat", evidence="page"
    )


def told(store: Store) -> list[tuple[str, ...]]:
    return [alarm.told for alarm in store.alarms.recent()]


def test_the_webhook_gets_the_alarm_once(store: Store, hook: Hook) -> None:
    settings = AlarmSection(webhook=hook.url)
    assert [tell_alarms(store, settings) for _ in range(2)] == [1, 0]
    (got,) = hook.got
    assert got == {
        "event": "claimed",
        "ecosystem": "pypi",
        "name": "zz-ghost-1",
        "purl": "pkg:pypi/zz-ghost-1",
        "claimed_at": AT.isoformat(),
        "first_released": AT.isoformat(),
        "uploader": "squat",
        "evidence": "page",
        "times_seen": got["times_seen"],
    }
    assert told(store) == [("webhook",)]


def test_a_webhook_that_was_down_hears_of_it_later(
    store: Store, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    settings = AlarmSection(webhook=hook.url)
    hook.statuses = [503] * 9
    assert tell_alarms(store, settings) == 0
    nowhere = AlarmSection(webhook="http://127.0.0.1:1/hook?key=se-cret")
    assert tell_alarms(store, nowhere) == 0
    assert told(store) == [()]
    caplog.set_level(logging.WARNING, "ghostbust")
    ours = [record.getMessage() for record in caplog.records if "alarm" in record.name]
    assert ours == [
        "alarm: the webhook answered HTTP 503",
        "alarm: the webhook can't be reached (ConnectError)",
    ]
    hook.statuses = [200] * 9
    assert tell_alarms(store, settings) == 1


def test_the_program_gets_it_on_standard_input(store: Store, hook: Hook, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    command = (sys.executable, "-c", script, str(out))
    assert tell_alarms(store, AlarmSection(webhook=hook.url, command=command)) == 1
    assert json.loads(out.read_text()) == hook.got[0]
    assert told(store) == [("webhook", "command")]


@pytest.mark.parametrize(
    "command",
    [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)"),
     (sys.executable, "-c", "import time; time.sleep(60)")],
)  # fmt: skip
def test_a_program_that_fails_leaves_it_untold(store: Store, command: tuple[str, ...]) -> None:
    assert tell_alarms(store, AlarmSection(command=command, timeout_s=1)) == 0
    assert told(store) == [()]


def test_without_settings_nobody_is_told(store: Store) -> None:
    assert tell_alarms(store, AlarmSection()) == 0
    assert told(store) == [()]
