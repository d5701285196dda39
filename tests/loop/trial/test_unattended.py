"""The parts of a trial of the unattended daemon; the trial itself is run by its command's test."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ghostbust.adapters import WEIGHTS, read_adapter
from ghostbust.config import load_config
from ghostbust.errors import BusyError
from ghostbust.home import Home
from ghostbust.loop.build import make_tasks
from ghostbust.loop.signals import Silence
from ghostbust.loop.trial.bad_adapters import TURN, leave_for_daemon, let_serve_without_canary
from ghostbust.loop.trial.round import gate_behaviour
from ghostbust.loop.trial.settings import Size, settings_text, write_tasks
from ghostbust.loop.trial.unattended import Trial, UnattendedError
from ghostbust.loop.watch import Watched
from ghostbust.prompts import split
from ghostbust.publishers.directory import published
from ghostbust.records import Answer, GateVerdict
from ghostbust.sections import GatesSection
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

SIZE = Size(tasks=40)


@pytest.fixture
def settled(home: Home, tmp_path: Path, talking_model_dir: Path) -> Home:
    write_tasks(tmp_path / "tasks.jsonl", SIZE)
    text = settings_text(
        SIZE, str(talking_model_dir), "http://127.0.0.1:9/v1", tmp_path / "tasks.jsonl", "base",
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


def test_its_rounds_are_gated_by_rate_and_volume(before: Watched) -> None:
    """The base against itself, and against itself without what it invents."""
    cured = [
        replace(answer, judged=tuple(j for j in answer.judged if not j.lookup.invented))
        for answer in before.answers
    ]

    def results(candidate: Sequence[Answer]) -> dict[str, GateVerdict]:
        report = gate_behaviour(
            GatesSection(), (), candidate="c", models=(None, None),  # type: ignore[arg-type]
            answers=(before.answers, candidate), seed=0, gated=0, listener=Silence(),
        )  # fmt: skip
        return {result.gate: result.verdict for result in report.results}

    assert before.measurement.refs >= 50
    assert set(results(cured)) == {"hallucination", "volume"}
    assert results(cured)["hallucination"] is GateVerdict.PASS
    assert results(before.answers)["hallucination"] is not GateVerdict.PASS


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    trial = Trial(tmp_path, SIZE, "m", ["false"], lambda _home: ["false"], Silence())
    with pytest.raises(UnattendedError, match="didn't start"):
        trial.run()


def test_what_it_lacks_where_the_server_ends_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    server = [sys.executable, "-c", f"print({url!r}, flush=True)"]
    trial = Trial(tmp_path, SIZE, "m", server, lambda _home: ["sleep", "60"], Silence())
    found = trial.run()
    assert any("can't reach 127.0.0.1" in breach for breach in found.breaches), found.breaches
    assert "nothing was measured" in found.breaches
