"""``ghostbust adapters publish``, ``unpublish`` and ``status`` at a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.home import Home
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.lab.model_server import ModelServer, Serving, serve

Run = Callable[..., Result]


@pytest.fixture
def server(tiny_model_dir: Path) -> Iterator[ModelServer]:
    with serve(Serving(tiny_model_dir, "base", max_rank=8)) as server:
        yield server


@pytest.fixture
def settings(home: Path, server: ModelServer, tiny_model_dir: Path) -> None:
    """The home's settings, with one vLLM server and loose limits."""
    Home.open(home).config.write_text(
        f"""
[model]
name = "{tiny_model_dir}"
endpoint = "{server.url}"
endpoint_model = "base"
[registry]
mode = "snapshot"
[sampling]
max_new_tokens = 6
[publish]
kind = "vllm"
max_rank = 8
[canary]
forget = 3
general = 1
overlap = 0
rate = 1e9
empty = 0.99
slower = 50
"""
    )


@pytest.fixture
def made(home: Path, make_lora: Callable[..., Path], tiny_model_dir: Path) -> Callable[..., str]:
    """Makes an adapter that waits for approval; its name."""

    def make(rank: int = 4, size: float = 0.2) -> str:
        place = Home.open(home)
        with Store.open(place.database) as store:
            model = str(tiny_model_dir)
            round_id = store.rounds.start(model=model, method="au", seed=0, settings={})
            name = f"round-{round_id:04d}-aa"
            path = make_lora(
                place.adapters / name, tiny_model_dir, seed=round_id, rank=rank, size=size
            )
            candidate = Candidate(name, path, model, "au", 0, 1, 0.1, 1.0)
            store.rounds.add_candidate(round_id, candidate)
            result = GateResult("volume", GateVerdict.PASS, "", None, None, None, "")
            store.rounds.add_gate_report(round_id, GateReport(name, (result,)))
            store.rounds.set_state(round_id, RoundState.WAITING)
        return name

    return make


def test_without_servers_there_is_only_the_home(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert run("adapters", "publish").stdout == "the base serves at 1 of 1\n"
    told = json.loads(run("adapters", "status", "--json").stdout)
    assert [row["ready"] for row in told["servers"]] == [True]


@pytest.mark.usefixtures("settings")
def test_an_adapters_life_at_a_server(
    run: Run, made: Callable[..., str], server: ModelServer, home: Path
) -> None:
    first, second = made(), made()
    tried = run("adapters", "publish", first)
    assert tried.exit_code == 0, tried.stderr
    assert "4 prompts: rate" in tried.stdout
    assert set(server.serving.adapters) == {first}
    assert not Home.open(home).serving.exists(), "clients notice nothing of a trial"

    assert run("adapters", "promote", first).exit_code == 0
    assert run("adapters", "promote", second).exit_code == 0
    told = json.loads(run("adapters", "status", "--json").stdout)
    assert told["deployed"] == second
    assert told["servers"] == [
        {"where": server.url[7:], "ready": True, "loaded": [first, second], "said": ""}
    ]
    assert json.loads(Home.open(home).serving.read_text())["model"] == second

    refused = run("adapters", "unpublish", second)
    assert (refused.exit_code, "roll back" in refused.stderr) == (2, True)
    assert run("adapters", "rollback").exit_code == 0
    assert json.loads(Home.open(home).serving.read_text())["model"] == first
    assert run("adapters", "unpublish", second).exit_code == 0
    assert set(server.serving.adapters) == {first}


@pytest.mark.usefixtures("settings")
def test_a_restart_is_seen_and_mended(
    run: Run, made: Callable[..., str], server: ModelServer
) -> None:
    name = made()
    run("adapters", "promote", name)
    server.unload(name)
    lost = run("adapters", "status")
    assert (lost.exit_code, "no" in lost.stdout.split()) == (1, True)
    assert run("adapters", "publish").stdout == f"{name} serves at 1 of 1\n"
    assert run("adapters", "status").exit_code == 0


@pytest.mark.usefixtures("settings")
def test_a_failing_canary_is_one_line_and_changes_nothing(
    run: Run, made: Callable[..., str], server: ModelServer, home: Path
) -> None:
    name = made(size=0)
    result = run("adapters", "promote", name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"canary of {name} at" in result.stderr
    assert "the server doesn't apply the adapter" in result.stderr
    assert server.serving.adapters == {}
    told = json.loads(run("adapters", "list", "--json").stdout)
    assert told["deployed"] is None


@pytest.mark.usefixtures("settings")
def test_a_server_that_is_away_is_exit_code_3(
    run: Run, made: Callable[..., str], server: ModelServer
) -> None:
    name = made()
    server.shutdown()
    server.server_close()
    for args in (("promote", name), ("publish",), ("status",), ("publish", name)):
        result = run("adapters", *args)
        assert result.exit_code == 3, args
        assert "can't reach" in result.stdout + result.stderr
