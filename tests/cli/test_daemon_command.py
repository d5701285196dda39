"""The daemon as a process: one for a home, killed and started again, stopped by SIGTERM."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from ghostbust.cli.daemon import workplace
from ghostbust.config import Config
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.loop.daemon import watch_job
from ghostbust.operations.logs import Redactor
from ghostbust.prompts import seed_tasks
from ghostbust.store.runs import Run, RunStatus
from ghostbust.store.store import Store

SETTINGS = """
[model]
name = "{model}"
device = "cpu"
[sampling]
max_new_tokens = 128
samples_per_prompt = 1
batch_rows = 2
[registry]
mode = "snapshot"
[daemon]
watch_every_s = 0.5
watch_prompts = 48
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def home(tmp_path: Path, tiny_model_dir: Path) -> Home:
    """A home whose settings name the tiny model and a fast schedule."""
    home = Home.open(tmp_path / "home")
    home.config.write_text(SETTINGS.format(model=tiny_model_dir))
    return home


@pytest.fixture
def start(home: Home, tmp_path: Path) -> Iterator[Start]:
    """Starts `ghostbust daemon` in the home; whatever is left of it is killed in the end."""
    systemds = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
    settings = {
        k: v for k, v in os.environ.items() if not k.startswith("GHOSTBUST_") and k not in systemds
    }
    begun: list[subprocess.Popen[str]] = []

    def popen(
        *options: str, notified: bool = False, stdout: int | None = None
    ) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "ghostbust", "daemon", "--home", str(home.path), *options]
        begun.append(
            subprocess.Popen(
                command,
                cwd=tmp_path,
                env=settings
                | {"OMP_NUM_THREADS": "1"}
                | ({name: os.environ[name] for name in systemds} if notified else {}),
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return begun[-1]

    yield popen
    for process in begun:
        process.kill()
        process.communicate()


def runs(home: Home) -> list[Run]:
    """The runs so far, newest first; none where the database isn't there yet."""
    with suppress(StoreError), Store.open(home.database, read_only=True) as store:
        return store.runs.recent()
    return []


def answers(home: Home) -> int:
    with suppress(StoreError), Store.open(home.database, read_only=True) as store:
        return sum(1 for _ in store.answers.read())
    return 0


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits; fails where the process ends before, or takes too long."""
    limit = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_it_watches_survives_a_kill_and_ends_on_sigterm(home: Home, start: Start) -> None:
    first = start()
    until(home.database.exists, first)
    second = start()
    assert second.communicate(timeout=30)[1].splitlines() == [
        f"ghostbust: {home.path} is in use by process {first.pid} (daemon); wait for it or stop it"
    ]
    assert second.returncode == 3
    until(lambda: answers(home) > 0, first)
    first.kill()
    first.wait()
    (killed,) = runs(home)
    assert killed.status is RunStatus.RUNNING, "killed in the middle"
    told = answers(home)

    third = start()
    until(lambda: runs(home)[-1].status is RunStatus.DONE, third)
    assert runs(home)[-1].id == killed.id, "it went on with the same run"
    assert answers(home) >= max(told, 48)
    until(lambda: len(runs(home)) == 2, third)
    third.send_signal(signal.SIGTERM)
    said = third.communicate(timeout=30)[1]
    assert third.returncode == 0
    assert "daemon: stops (SIGTERM)" in said
    last = runs(home)[0]
    assert last.status is not RunStatus.RUNNING
    with Store.open(home.database) as store:
        rest = watch_job.find(home, store, seed_tasks())
        assert (rest is not None) == (last.status is RunStatus.INTERRUPTED)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[daemon]\nwatch_evry_s = 5\n", "unknown key daemon.watch_evry_s"),
        ('[prompts]\nfiles = ["none.jsonl"]\n', "can't read the prompts in"),
    ],
)
def test_bad_settings_are_one_line_and_end_it(
    home: Home, start: Start, settings: str, complaint: str
) -> None:
    home.config.write_text(settings)
    process = start()
    (line,) = process.communicate(timeout=30)[1].splitlines()
    assert (process.returncode, complaint in line) == (2, True), line


@contextmanager
def listening(path: Path, heard: list[str]) -> Iterator[None]:
    """A manager's socket; the first line of each datagram goes into ``heard``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))

        def hear() -> None:
            while data := manager.recv(4096):
                heard.append(data.decode().partition("\n")[0])

        thread = threading.Thread(target=hear)
        thread.start()
        yield
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(path))
        thread.join()


def test_it_is_operated_health_metrics_logs_reload_and_systemd(
    home: Home, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd would: READY, a reload by SIGHUP, WATCHDOG, STOPPING; HTTP and JSON meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more = f'listen = "127.0.0.1:{port}"\n'
    settings = home.config.read_text().replace("watch_prompts = 48", "watch_prompts = 6")
    home.config.write_text(settings + more)
    heard: list[str] = []
    with listening(tmp_path / "notify", heard):
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "600000")
        process = start("--log-format", "json", notified=True)
        until(lambda: "READY=1" in heard, process)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert client.get("/healthz").json()["ok"] is True
            assert client.get("/readyz").status_code == 200
            until(lambda: any(line.startswith("STATUS=watch ok") for line in heard), process)
            metrics = client.get("/metrics").text
            assert 'ghostbust_jobs_total{job="watch",outcome="ok"}' in metrics
            assert "ghostbust_samples_total 0.0" not in metrics
        until(lambda: heard.count("WATCHDOG=1") > 1, process)
        home.config.write_text(settings.replace("watch_prompts = 6", "watch_prompts = 7") + more)
        process.send_signal(signal.SIGHUP)
        until(lambda: heard.count("READY=1") == 2, process)
        home.config.write_text(settings + "broken")
        process.send_signal(signal.SIGHUP)
        until(lambda: heard.count("READY=1") == 3, process)
        assert heard.count("RELOADING=1") == 2
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert "STOPPING=1" in heard
    assert process.returncode == 0
    lines = [json.loads(line) for line in said.splitlines()]
    messages = [line["message"] for line in lines]
    assert "reload: daemon.watch_prompts was 6, is 7" in messages
    (bad,) = [message for message in messages if "the settings in force stay" in message]
    assert "isn't valid TOML" in bad
    done = next(line for line in lines if " done: " in line["message"])
    assert (done["job"], done["run"], done["round"]) == ("watch", 1, None)


def test_the_unit_is_printed_and_nothing_is_made(start: Start, tmp_path: Path) -> None:
    process = start("--print-unit", "--home", str(tmp_path / "never"), stdout=subprocess.PIPE)
    unit = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert "Type=notify" in unit
    assert f"Environment=GHOSTBUST_HOME={tmp_path / 'never'}" in unit
    assert not (tmp_path / "never").exists()


def test_a_place_to_listen_at_that_is_none(home: Home, start: Start) -> None:
    home.config.write_text('[daemon]\nlisten = "nowhere"\n')
    process = start()
    (line,) = process.communicate(timeout=30)[1].splitlines()
    assert (process.returncode, "daemon.listen: should be HOST:PORT" in line) == (2, True)


def test_its_rounds_are_in_the_budgets_of_the_day(home: Home) -> None:
    place = workplace(home, None, Config, threading.Event(), Redactor())
    assert place.round_command[1:] == [
        "-m", "ghostbust", "round", "--home", str(home.path), "--json", "--budgeted",
    ]  # fmt: skip
