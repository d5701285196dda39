"""What goes wrong at a webhook or a program is said without the address; nothing is raised."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.recheck import post, run

if TYPE_CHECKING:
    from tests.servers.webhook import Hook

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
    assert run(command, b"{}", timeout_s=2) == wrong


def test_a_program_that_takes_too_long_ends_with_all_that_it_started(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    script = (
        "import pathlib, subprocess, sys, time;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"pathlib.Path({str(noted)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    assert "TimeoutExpired" in run((PYTHON, "-c", script), b"{}", timeout_s=3)
    stat = Path(f"/proc/{noted.read_text()}/stat")
    for _ in range(100):
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX":
            return
        time.sleep(0.05)
    pytest.fail("what the program had started runs on")
