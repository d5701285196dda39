"""The daemon's guard: looked at every minute, and kept running."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ghostbust import http
from ghostbust.config import override
from ghostbust.errors import DataError, EndpointError, UsageError
from ghostbust.guard.proxy import GuardProxy
from ghostbust.guard.reading import Asked, Guard, Reading
from ghostbust.home import Home
from ghostbust.loop.build import refuse_guard
from ghostbust.loop.child import marked
from ghostbust.loop.daemon.guard_job import KeptGuard, look_at_guard
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.table import JOBS
from ghostbust.sections import GuardSection
from tests.guard.upstream import Upstream, serving

CHAT = {"messages": [{"role": "user", "content": "Read it."}]}


def ask_once(url: str) -> bytes:
    with http.Client(timeout=20) as client:
        return client.post(f"{url}/v1/chat/completions", json=CHAT).content


def at(place: Workplace, url: str) -> Workplace:
    """With a guard that listens there."""
    port = int(url.rpartition(":")[2])
    return replace(place, config=override(place.config, guard__upstream=url, guard__port=port))


def unread(_asked: Asked) -> Reading:
    raise DataError("no sound snapshot")


def test_it_says_what_the_guard_has_done(place: Workplace) -> None:
    upstream = Upstream()
    upstream.says("```sh\n", "pip install zz-quux-sensorlib\n", "```\n")
    with serving(upstream.app) as there:
        proxy = GuardProxy(GuardSection(upstream=there), Guard.by_snapshots().read, lambda _: ())
        with serving(proxy.app) as url:
            ask_once(url)
            assert look_at_guard(at(place, url)) == "invented names held back: 1, in answers: 1"


@pytest.mark.parametrize(("on_error", "said"), [("open", "lets them"), ("closed", "takes them")])
def test_a_guard_that_cannot_read_is_a_failed_job(
    place: Workplace, on_error: str, said: str
) -> None:
    upstream = Upstream()
    upstream.says("pip install requests\n")
    with serving(upstream.app) as there:
        section = GuardSection.model_validate({"upstream": there, "on_error": on_error})
        with serving(GuardProxy(section, unread, lambda _: ()).app) as url:
            ask_once(url)
            with pytest.raises(DataError, match=said):
                look_at_guard(at(place, url))


def test_nobody_and_somebody_else_there(place: Workplace) -> None:
    with pytest.raises(EndpointError, match=r"can't reach the guard at 127.0.0.1:9 "):
        look_at_guard(at(place, "http://127.0.0.1:9"))
    other = Starlette(routes=[Route("/guard/health", lambda _: PlainTextResponse("hello"))])
    with serving(other) as url, pytest.raises(EndpointError, match="is no guard"):
        look_at_guard(at(place, url))


def test_the_job_is_due_where_there_is_a_guard(place: Workplace) -> None:
    job = next(one for one in JOBS if one.name == "guard")
    assert job.trigger(place.config) is None
    assert job.trigger(override(place.config, guard__upstream="http://127.0.0.1:9")) is not None


SCRIPT = "import os, sys, time; print('up', os.getpid(), file=sys.stderr, flush=True); {}"


def kept(home: Home, then: str) -> KeptGuard:
    command = [sys.executable, "-c", SCRIPT.format(then)]
    return KeptGuard(home, GuardSection(upstream="http://127.0.0.1:9"), command)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_that_was_killed_is_started_again_and_ended_with_the_daemon(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    guard = kept(home, "time.sleep(60)")

    def pids() -> list[int]:
        found = [one.getMessage() for one in caplog.records if "guard: up " in one.getMessage()]
        return [int(line.split()[-1]) for line in found]

    with caplog.at_level(logging.INFO, "ghostbust"):
        guard.start()
        until(lambda: len(pids()) == 1)
        os.kill(pids()[0], signal.SIGKILL)
        until(lambda: len(pids()) == 2)
        guard.stop()
    assert "ALARM: the guard was killed by SIGKILL" in caplog.text
    assert not marked(f"{home.path}:guard")


def test_one_that_cannot_start_is_tried_less_and_less(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    guard = kept(home, "sys.exit('can\\'t listen')")
    guard.start()
    until(lambda: caplog.text.count("ALARM") == 2)
    guard.stop()
    waits = [line.rpartition(" in ")[2] for line in caplog.messages if "ALARM" in line]
    assert waits[:2] == ["0.5 s", "1 s"]
    assert "ended with exit code 1: can't listen" in caplog.text


def test_its_lines_keep_their_level(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    line = "2026-12-03 13:28:33,368 ERROR guard: ALARM: no snapshot"
    guard = kept(home, f"print({line!r}, file=sys.stderr, flush=True); time.sleep(60)")
    guard.start()
    until(lambda: ("ERROR", "guard: ALARM: no snapshot") in levels(caplog))
    guard.stop()


def levels(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(one.levelname, one.getMessage()) for one in caplog.records]


def test_without_a_server_it_says_what_to_set(home: Home) -> None:
    with pytest.raises(UsageError, match=r"needs guard.upstream"):
        KeptGuard(home, GuardSection(daemon=True), [])


@pytest.mark.parametrize(
    ("url", "is_refused"),
    [
        ("http://127.0.0.1:8471/v1", True),
        ("http://localhost:8471", True),
        ("http://127.0.0.1:8000", False),
        ("http://other:8471", False),
    ],
)
def test_what_is_measured_behind_the_guard_is_refused(
    place: Workplace, url: str, is_refused: bool
) -> None:
    config = override(place.config, guard__upstream="http://127.0.0.1:8000")
    refuse_guard(place.config, [url], "the model's server")
    if not is_refused:
        refuse_guard(config, [url], "the model's server")
        return
    with pytest.raises(UsageError, match=r"name the server behind it, http://127.0.0.1:8000"):
        refuse_guard(config, [url], "the model's server")


@pytest.mark.slow
def test_the_daemon_runs_it(tmp_path: Path) -> None:
    """The whole: `ghostbust daemon` with ``guard.daemon``, its guard killed, the daemon ended."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    upstream = Upstream()
    upstream.says("```sh\n", "pip install zz-quux-sensorlib\n", "```\n")
    with serving(upstream.app) as there:
        home = Home(tmp_path)
        home.config.write_text(
            f'[guard]\nupstream = "{there}"\nport = {port}\ndaemon = true\n'
            '[registry]\nmode = "snapshot"\n[jobs]\nquiet = ["00:00-24:00"]\n'
        )
        command = [sys.executable, "-m", "ghostbust", "daemon", "--home", str(home.path)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
            try:
                for _ in range(2):  # the second time after a kill
                    until(lambda: answers(port))
                    assert b"# ghostbust: zz-quux-sensorlib" in ask_once(f"http://127.0.0.1:{port}")
                    (guard,) = [
                        one for one in marked(f"{home.path}:guard") if "serve" in one.cmdline()
                    ]
                    guard.kill()
                    guard.wait(10)
                until(lambda: answers(port))
            finally:
                daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(40) == 0
        assert not marked(f"{home.path}:guard")


def answers(port: int) -> bool:
    try:
        with http.Client(timeout=5) as client:
            found = client.get(f"http://127.0.0.1:{port}/guard/health")
    except http.ERRORS:
        return False
    return bool(json.loads(found.content)["state"] == "ok")
