"""Alarms and other documents reach a webhook and a program, or stay unsent."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.alarms import post, run_program, tell_alarms
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


@pytest.mark.parametrize("command", [(), (sys.executable, "-c", "raise SystemExit(3)")])
def test_without_a_program_that_takes_it_an_alarm_stays_untold(
    store: Store, command: tuple[str, ...]
) -> None:
    assert tell_alarms(store, AlarmSection(command=command)) == 0
    assert told(store) == [()]


PYTHON = sys.executable


def test_a_webhook_gets_the_body_as_it_is(hook: Hook) -> None:
    assert post(hook.url, b'{"a": 1}', timeout_s=5, headers={"x-mine": "b"}) == ""
    assert hook.bodies == [b'{"a": 1}']
    assert hook.headers[0]["content-type"] == "application/json"
    assert hook.headers[0]["x-mine"] == "b"


def test_it_is_asked_again_only_as_often_as_wanted_and_where_it_may_help(hook: Hook) -> None:
    hook.statuses = [503, 503, 404]
    assert post(hook.url, b"{}", timeout_s=5) == "the webhook answered HTTP 503"
    assert len(hook.got) == 1
    wrong = post(hook.url, b"{}", timeout_s=5, attempts=5, wait_s=0)
    assert (wrong, len(hook.got)) == ("the webhook answered HTTP 404", 3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/se-cret", "no url", "file:///etc/passwd"])
def test_a_webhook_that_cant_be_reached(url: str) -> None:
    wrong = post(url, b"{}", timeout_s=5)
    assert wrong.startswith("the webhook can't be reached (")
    assert "se-cret" not in wrong


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        (("/no/such/program",), "the program /no/such/program failed (FileNotFoundError)"),
        (
            (PYTHON, "-c", "raise SystemExit(3)"),
            f"the program {PYTHON} ended with 3",
        ),
        (
            (PYTHON, "-c", "import time; time.sleep(60)"),
            f"the program {PYTHON} failed (TimeoutExpired)",
        ),
        ((PYTHON, "-c", "import sys; sys.exit(sys.stdin.read() != '{}')"), ""),
    ],
)
def test_a_program(command: tuple[str, ...], wrong: str) -> None:
    assert run_program(command, b"{}", timeout_s=2) == wrong


def test_a_program_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = (
        "import pathlib, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"pathlib.Path({str(noted)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    assert "TimeoutExpired" in run_program((PYTHON, "-c", script), b"{}", timeout_s=3)
    stat = Path(f"/proc/{noted.read_text()}/stat")
    for _ in range(100):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX":
            return
        time.sleep(0.05)
    pytest.fail("what the program had started runs on")
