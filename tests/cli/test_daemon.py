"""The daemon as a process, and ``ghostbust jobs`` beside it and without one."""

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
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.cli.daemon import workplace
from ghostbust.config import Config
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.loop.budget import SAMPLES
from ghostbust.loop.daemon import watch_job
from ghostbust.operations.logs import Redactor
from ghostbust.prompts import seed_tasks
from ghostbust.store.runs import Run, RunStatus
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.reading import Run as RunCommand

SETTINGS = """
[model]
name = "{model}"
device = "cpu"
[sampling]
max_new_tokens = 64
samples_per_prompt = 1
batch_rows = 2
[registry]
mode = "snapshot"
[daemon]
watch_every_s = 0.5
watch_prompts = 24
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def watched(tmp_path: Path, tiny_model_dir: Path) -> Home:
    """A watched whose settings name the tiny model and a fast schedule."""
    watched = Home.open(tmp_path / "home")
    watched.config.write_text(SETTINGS.format(model=tiny_model_dir))
    return watched


@pytest.fixture
def start(watched: Home, tmp_path: Path) -> Iterator[Start]:
    """Starts `ghostbust daemon` in the watched; whatever is left of it is killed in the end."""
    systemds = ("NOTIFY_SOCKET", "WATCHDOG_USEC")
    settings = {
        k: v for k, v in os.environ.items() if not k.startswith("GHOSTBUST_") and k not in systemds
    }
    begun: list[subprocess.Popen[str]] = []

    def popen(*options: str, notified: bool = False) -> subprocess.Popen[str]:
        environment = settings | {"OMP_NUM_THREADS": "1"}
        environment |= {name: os.environ[name] for name in systemds if notified}
        command = [sys.executable, "-m", "ghostbust", "daemon", "--home", str(watched.path)]
        begun.append(
            subprocess.Popen(
                [*command, *options], cwd=tmp_path, env=environment, stderr=subprocess.PIPE,
                text=True,
            )
        )  # fmt: skip
        return begun[-1]

    yield popen
    for process in begun:
        process.kill()
        process.communicate()


def logged(home: Home) -> tuple[list[Run], int]:
    """The runs so far, newest first, and the first one's answers; none without a database."""
    with suppress(StoreError), Store.open(home.database, read_only=True) as store:
        return store.runs.recent(), len(store.answers.sampled_keys(1))
    return [], 0


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits; fails where the process ends before, or takes too long."""
    limit = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_there_is_one_daemon_for_a_home(watched: Home, run: RunCommand) -> None:
    with watched.exclusive("daemon", watched.daemon_lock):
        said = one_line(run("daemon"), 3)
    used = f"{watched.path} is in use by process {os.getpid()} (daemon); wait for it or stop it"
    assert said == f"ghostbust: {used}"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("[daemon]\nwatch_evry_s = 5\n", "unknown key daemon.watch_evry_s"),
        ('[prompts]\nfiles = ["none.jsonl"]\n', "can't read the prompts in"),
        ('[daemon]\nlisten = "nowhere"\n', "daemon.listen: should be HOST:PORT"),
    ],
)
def test_bad_settings_are_one_line_and_end_it(
    place: Home, run: RunCommand, settings: str, complaint: str
) -> None:
    place.config.write_text(settings)
    assert complaint in one_line(run("daemon"))


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


def test_it_survives_a_kill_and_is_operated_by_health_metrics_logs_reload_and_systemd(
    watched: Home, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd would: READY, a reload by SIGHUP, WATCHDOG, STOPPING; HTTP and JSON meanwhile."""
    first = start()
    until(lambda: logged(watched)[1] > 0, first)
    first.kill()
    first.wait()
    (killed,), told = logged(watched)
    assert killed.status is RunStatus.RUNNING, "killed in the middle"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more = f'listen = "127.0.0.1:{port}"\n'
    settings = watched.config.read_text()
    watched.config.write_text(settings + more)
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
            runs, answers = logged(watched)
            assert (runs[-1].id, runs[-1].status) == (killed.id, RunStatus.DONE), "it goes on"
            assert answers >= max(told, 24)
            metrics = client.get("/metrics").text
            assert 'ghostbust_jobs_total{job="watch",outcome="ok"}' in metrics
            assert "ghostbust_samples_total 0.0" not in metrics
        until(lambda: heard.count("WATCHDOG=1") > 1, process)
        watched.config.write_text(
            settings.replace("watch_prompts = 24", "watch_prompts = 7") + more
        )
        process.send_signal(signal.SIGHUP)
        until(lambda: heard.count("READY=1") == 2, process)
        watched.config.write_text(settings + "broken")
        process.send_signal(signal.SIGHUP)
        until(lambda: heard.count("READY=1") == 3, process)
        assert heard.count("RELOADING=1") == 2
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert "STOPPING=1" in heard
    assert process.returncode == 0
    last = logged(watched)[0][0]
    assert last.status is not RunStatus.RUNNING
    with Store.open(watched.database) as store:
        rest = watch_job.find(watched, store, seed_tasks())
        assert (rest is not None) == (last.status is RunStatus.INTERRUPTED)
    lines = [json.loads(line) for line in said.splitlines()]
    messages = [line["message"] for line in lines]
    assert "daemon: stops (SIGTERM)" in messages
    assert "reload: daemon.watch_prompts was 24, is 7" in messages
    (bad,) = [message for message in messages if "the settings in force stay" in message]
    assert "isn't valid TOML" in bad
    done = next(line for line in lines if " done: " in line["message"])
    assert (done["job"], done["run"], done["round"]) == ("watch", 1, None)


def test_it_is_asked_after_and_stopped_and_logs_to_a_private_file(
    watched: Home, start: Start, run: RunCommand, tmp_path: Path
) -> None:
    place, log = ("--home", watched.path), tmp_path / "daemon.log"
    assert "no daemon runs in" in run("daemon", "status", *place).stdout
    assert run("daemon", "status", *place).exit_code == 1
    assert run("daemon", "stop", *place).exit_code == 0, "nothing is to be done"
    process = start("--log-file", str(log))
    until(lambda: logged(watched)[1] > 0, process)
    told = document(run("daemon", "status", "--json", *place))
    assert (told["running"], told["pid"], told["purpose"]) == (True, process.pid, "daemon")
    assert f"process {process.pid} (daemon)" in run("daemon", "status", *place).stdout
    (watch,) = (
        job
        for job in document(run("jobs", "list", "--json", *place))["jobs"]
        if job["name"] == "watch"
    )
    assert watch["pid"] in (process.pid, None)
    stopped = run("daemon", "stop", "--quiet", *place)
    assert stopped.stdout == f"the daemon has ended (process {process.pid})\n"
    assert process.stderr
    assert (process.wait(10), process.stderr.read()) == (0, "")
    assert "daemon: stops (SIGTERM)" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_options_in_front_of_a_command_of_the_daemon_are_refused(
    run: RunCommand, tmp_path: Path
) -> None:
    said = one_line(run("daemon", "--home", tmp_path / "x", "stop"))
    assert said == ("ghostbust: --home stands behind the command: ghostbust daemon stop …")


def test_a_log_file_that_cannot_be_written_ends_it(place: Home, run: RunCommand) -> None:
    said = one_line(run("daemon", "--log-file", place.path / "none" / "daemon.log"))
    assert "can't write the log to" in said


def test_the_unit_is_printed_and_nothing_is_made(run: RunCommand, tmp_path: Path) -> None:
    done = run("daemon", "--print-unit", "--home", tmp_path / "never")
    assert done.exit_code == 0
    assert "Type=notify" in done.stdout
    assert f"Environment=GHOSTBUST_HOME={tmp_path / 'never'}" in done.stdout
    assert not (tmp_path / "never").exists()


def test_its_rounds_are_in_the_budgets_of_the_day(watched: Home) -> None:
    place = workplace(watched, None, Config, threading.Event(), Redactor())
    assert place.round_command[1:] == [
        "-m", "ghostbust", "round", "--json", "--budgeted", "--home", str(watched.path),
    ]  # fmt: skip


@pytest.fixture
def place(home: Path) -> Home:
    """A home with a store and settings."""
    place = Home.open(home)
    place.config.write_text(
        '[registry]\nmode = "snapshot"\n[budget]\nsamples = 10\n'
        '[jobs.watch]\nevery = "15m"\n[jobs.round]\nevery = "off"\n[selfcheck]\nfree_bytes = 0\n'
    )
    Store.open(place.database).close()
    return place


def states(run: RunCommand) -> dict[str, str]:
    listed = document(run("jobs", "list", "--json"))
    return {job["name"]: job["state"] for job in listed["jobs"]}


def test_the_list_tells_of_every_job_and_budget(place: Home, run: RunCommand) -> None:
    from ghostbust.config import load_config
    from ghostbust.loop.budget import Allowance
    from ghostbust.loop.signals import SystemClock

    with Store.open(place.database) as store:
        Allowance(store, load_config(None, place), SystemClock()).take({SAMPLES: 4})
        store.jobs.finish("recheck", "failed", "nobody answers")
    assert states(run) == {
        "watch": "waits", "ingest": "off", "round": "off", "recheck": "waits", "sync": "off",
        "retention": "off", "selfcheck": "waits", "rollback": "waits",
        "alarms": "off", "guard": "off",
    }  # fmt: skip
    told = document(run("jobs", "list", "--json"))
    assert (told["daemon"], told["pid"]) == (False, None)
    assert told["trouble"] is None
    assert told["budgets"][0] == {"budget": "samples", "spent": 4.0, "limit": 10.0}
    shown = run("jobs", "list").stdout
    assert "nobody answers" in shown
    assert "no daemon works here" in shown
    assert "no limit" in shown


def test_a_job_is_paused_and_resumed(place: Home, run: RunCommand) -> None:
    for command, state in (("pause", "paused"), ("resume", "waits")):
        assert run("jobs", command, "watch").exit_code == 0
        assert states(run)["watch"] == state


def test_a_job_runs_right_here_where_no_daemon_is(place: Home, run: RunCommand) -> None:
    done = run("jobs", "run", "selfcheck")
    assert (done.exit_code, done.stdout.split(" after")[0]) == (0, "selfcheck: ok")
    with Store.open(place.database) as store:
        assert store.jobs.get("selfcheck").outcome == "ok"
        store.jobs.pause("recheck")
    assert run("jobs", "run", "recheck").exit_code == 0, "paused or not"


def test_a_used_up_budget_holds_a_run_by_hand_too(place: Home, run: RunCommand) -> None:
    place.config.write_text(place.config.read_text().replace("samples = 10", "samples = 0"))
    done = run("jobs", "run", "watch")
    assert done.exit_code == 1
    assert "the day's budget of samples is used up (0 of 0); goes on tomorrow" in done.stdout


def test_a_daemon_is_asked_to_run_it(place: Home, run: RunCommand) -> None:
    with place.exclusive("daemon", place.daemon_lock):
        done = run("jobs", "run", "watch")
        assert done.exit_code == 0
        assert "the daemon was asked" in done.stdout
        assert states(run)["watch"] == "asked for"


def test_an_unknown_job_is_named(place: Home, run: RunCommand) -> None:
    for command in ("run", "pause", "resume"):
        said = one_line(run("jobs", command, "wacth"))
        assert "there is no job 'wacth'; there are watch, ingest" in said
