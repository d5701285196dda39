"""The unattended trial, and what it is made of: the load, the bad adapters, the gates."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ghostbust.adapters import WEIGHTS, read_adapter
from ghostbust.config import load_config
from ghostbust.errors import BusyError
from ghostbust.home import Home
from ghostbust.loop.build import make_tasks
from ghostbust.prompts import split
from ghostbust.publishers.directory import published
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.lab.model_server import ModelServer, Serving, serve
from tests.lab.trial import (
    TURN,
    Clients,
    Size,
    leave_for_daemon,
    let_serve_without_canary,
    settings_text,
    write_tasks,
)
from tests.lab.unattended import Trial, UnattendedError, make_trial

pytestmark = pytest.mark.lab
ROOT = Path(__file__).parents[2]
SIZE = Size(tasks=40)


@pytest.fixture
def settled(home: Home, tmp_path: Path, talking_model_dir: Path) -> Home:
    write_tasks(tmp_path / "tasks.jsonl", SIZE)
    text = settings_text(
        SIZE, str(talking_model_dir), "http://127.0.0.1:9/v1", tmp_path / "tasks.jsonl",
        rounds=True,
    )  # fmt: skip
    home.config.write_text(text.replace('kind = "vllm"', 'kind = "none"'))
    Store.open(home.database).close()
    return home


def test_its_settings_are_valid_and_hold_some_tasks_out(settled: Home) -> None:
    config = load_config(settled.config, settled, trust_here=False)
    train, holdout = split(make_tasks(config), config.prompts.holdout_share)
    assert len(train) + len(holdout) == 40
    assert len(holdout) >= 5
    assert config.daemon.round_min_new == 1


@pytest.fixture
def good(home: Home, make_lora: Callable[..., Path], talking_model_dir: Path) -> Path:
    return make_lora(home.adapters / "round-0000-good", talking_model_dir)


def test_a_garbage_adapter_waits_for_the_daemon_as_a_gated_round(settled: Home, good: Path) -> None:
    config = load_config(settled.config, settled, trust_here=False)
    round_id = leave_for_daemon(settled, config, good, "garbage", until=0)
    with Store.open(settled.database) as store:
        left = store.rounds.interrupted(config.model.name)
        assert left is not None
        assert (left.id, left.state) == (round_id, RoundState.GATED)
        assert left.adapter is not None
    read_adapter(settled.adapters / left.adapter)
    bad = load_file(settled.adapters / left.adapter / WEIGHTS)
    assert all(not torch.equal(bad[k], w) for k, w in load_file(good / WEIGHTS).items()
               if "lora_B" in k)  # fmt: skip


def test_a_turned_adapter_serves_and_does_the_opposite(settled: Home, good: Path) -> None:
    config = load_config(settled.config, settled, trust_here=False)
    name = let_serve_without_canary(settled, config, good, "turned", until=0)
    serving = published(settled.deployed)
    assert serving is not None
    assert serving[0] == name
    turned, before = load_file(serving[1] / WEIGHTS), load_file(good / WEIGHTS)
    for key, weight in before.items():
        assert torch.allclose(turned[key], weight * (TURN if "lora_B" in key else 1))


def test_a_drill_waits_for_a_job_at_work_as_long_as_it_may(settled: Home, good: Path) -> None:
    config = load_config(settled.config, settled, trust_here=False)
    began = time.monotonic()
    with settled.exclusive("watch"), pytest.raises(BusyError, match="in use by process"):
        leave_for_daemon(settled, config, good, "garbage", until=began + 1)
    assert time.monotonic() >= began + 1
    leave_for_daemon(settled, config, good, "garbage", until=0)


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    trial = Trial(tmp_path, SIZE, "m", ["false"])
    with pytest.raises(UnattendedError, match="didn't start"):
        trial.run()


def test_what_it_lacks_where_the_server_ends_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    server = [sys.executable, "-c", f"print({url!r}, flush=True)"]
    trial = Trial(tmp_path, SIZE, "m", server)
    found = trial.run()
    assert any("can't reach 127.0.0.1" in breach for breach in found.breaches), found.breaches
    assert "nothing was measured" in found.breaches


@pytest.fixture(scope="module")
def server(talking_model_dir: Path) -> Iterator[ModelServer]:
    with serve(Serving(talking_model_dir, "base")) as server:
        yield server


def clients(server: ModelServer, pointer: Path, timeout_s: float = 30) -> Clients:
    return Clients(f"{server.url}/v1", pointer, per_s=20, tokens=4, timeout_s=timeout_s)


def test_they_ask_at_their_rate_for_what_the_file_names(
    server: ModelServer, tmp_path: Path
) -> None:
    pointer = tmp_path / "serving.json"
    with clients(server, pointer) as asked:
        time.sleep(1)
        pointer.write_text(json.dumps({"model": "gone"}))
        time.sleep(1)
    assert set(asked.heard) == {"base", "gone"}
    assert asked.heard["base"].errors == []
    answered, failed = len(asked.heard["base"].waits), len(asked.heard["gone"].errors)
    assert answered + failed == asked.asked
    assert asked.asked <= 20 * asked.wall_s + 1, "no more than is due, however fast it answers"
    assert asked.share > 0.3, "a busy machine begins fewer, not hardly any"
    assert asked.heard["gone"].waits == []
    assert asked.heard["gone"].errors[0].startswith("404")


def test_an_answer_that_takes_too_long_is_an_error(server: ModelServer, tmp_path: Path) -> None:
    server.serving.slow[""] = 0.5  # of the base
    with clients(server, tmp_path / "none", timeout_s=0.2) as asked:
        time.sleep(0.4)
    server.serving.slow.clear()
    assert asked.heard["base"].waits == []
    assert "ReadTimeout" in asked.heard["base"].errors[0]


@pytest.mark.soak
def test_three_rounds_and_two_bad_adapters(tmp_path: Path) -> None:
    found = make_trial(tmp_path / "work", Size()).run()
    assert found.breaches == ()
    assert [stand.when for stand in found.stands] == [
        "before", "round 1", "round 2", "round 3", "turned", "taken back",
    ]  # fmt: skip
    assert found.drills["garbage"].startswith("rejected: canary of ")
    assert found.drills["turned"].startswith("rollback to ")
    rates = [stand.outside.rate for stand in found.stands]
    assert rates[4] > rates[3], "the turned adapter invents more"
    assert rates[-1] < rates[0]
    assert found.stands[-1].adapter == found.stands[3].adapter


def test_what_it_lacks_when_its_time_is_up_is_told(tmp_path: Path) -> None:
    found = make_trial(tmp_path / "work", Size(tasks=40, rounds=9, limit_s=30)).run()
    assert any("the time of 30 s is up" in breach for breach in found.breaches)
    assert found.stands[0].when == "before"
    assert sum(len(heard.waits) for heard in found.clients.values()) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_ended_by_sigterm_it_leaves_no_process(tmp_path: Path) -> None:
    work = tmp_path / "work"

    def alive() -> list[str]:
        """Command lines of processes that work in the folder, this one's child among them."""
        found = []
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                found.append(each.read_text())
        return [line for line in found if str(work) in line]

    command = [sys.executable, "-m", "tests.lab.unattended", "--work", str(work)]
    trial = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    limit = time.monotonic() + 300
    while len(alive()) < 3:  # itself, the server and the daemon
        assert trial.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.1)
    trial.terminate()
    trial.communicate(timeout=600)
    assert alive() == []
