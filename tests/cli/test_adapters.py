"""``ghostbust adapters``: list, show, promote, roll back, and at a real server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.adapters import write_adapter
from ghostbust.home import Home
from ghostbust.publishers.directory import publish, published
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line
from tests.lab.model_server import ModelServer, Serving, serve

if TYPE_CHECKING:
    from tests.cli.conftest import Run

Make = Callable[..., str]


@pytest.fixture
def made(home: Path) -> Make:
    """Makes a round with a complete adapter and a gate report of this verdict; its name.

    ``write`` gets the folder of the adapter, and the round's number.
    """

    def write_nothing_much(folder: Path, _: int) -> None:
        write_adapter(folder, model="smollm2", facts={}, save=save)

    def make(
        verdict: GateVerdict = GateVerdict.PASS,
        *,
        model: str = "smollm2",
        write: Callable[[Path, int], object] = write_nothing_much,
    ) -> str:
        place = Home.open(home)
        with Store.open(place.database) as store:
            round_id = store.rounds.start(model=model, method="au", seed=7, settings={})
            name = f"round-{round_id:04d}-aa"
            path = place.adapters / name
            write(path, round_id)
            candidate = Candidate(name, path, model, "au", 7, 40, 0.1, 61.5)
            store.rounds.add_candidate(round_id, candidate)
            reason = "ratio 1.02, within [0.8, 1.25]"
            result = GateResult(
                "volume", verdict, reason, 1.92, None, (0.9, 1.1), "band", {"look": 3}
            )
            store.rounds.add_gate_report(round_id, GateReport(name, (result,)))
            store.rounds.set_state(round_id, RoundState.WAITING)
        return name

    return make


def save(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")


def serving(home: Path) -> str | None:
    found = published(Home.open(home).deployed)
    return None if found is None else found[0]


def test_the_list_is_newest_first_and_marks_what_serves(run: Run, made: Make) -> None:
    first, second = made(), made(GateVerdict.FAIL)
    assert run("adapters", "promote", first).exit_code == 0
    lines = run("adapters", "list").stdout.splitlines()
    order = [line.split()[:2] for line in lines if "round-0" in line and "smollm2" in line]
    assert [words[0] for words in order] == [second, "*"]
    assert order[1][1] == first
    shown = [line for line in lines if "ratio 1.02" in line]
    assert len(shown) == 1, "of the one that waits, not of the one that serves"
    assert "(look 3)" in shown[0]
    told = document(run("adapters", "list", "--json"))
    assert told["deployed"] == first
    assert [(row["name"], row["verdict"], row["deployed"]) for row in told["adapters"]] == [
        (second, "FAIL", False),
        (first, "PASS", True),
    ]


def test_show_says_where_it_is_what_made_it_and_what_the_gates_said(
    run: Run, made: Make, home: Path
) -> None:
    name = made()
    shown = run("adapters", "show", name).stdout
    for part in (name, "smollm2", str(home / "adapters" / name), "seed 7, 40 steps in 62 s"):
        assert part in shown
    assert "ratio 1.02, within [0.8, 1.25]" in shown
    told = document(run("adapters", "show", name, "--json"))
    assert set(told) == {
        "name", "path", "round", "model", "method", "seed", "verdict", "created", "deployed",
        "gates",
    }  # fmt: skip
    assert told["gates"][0]["ci"] == [0.9, 1.1]
    assert told["gates"][0]["candidate"] is None


@pytest.mark.parametrize("command", ["show", "promote"])
def test_an_unknown_name_is_one_line(run: Run, command: str, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert one_line(run("adapters", command, "nobody")) == (
        "ghostbust: there is no adapter 'nobody'; `ghostbust adapters list` shows them"
    )


def test_promote_and_roll_back(run: Run, made: Make, home: Path) -> None:
    first, second = made(), made()
    result = run("adapters", "promote", first)
    assert result.stdout == f"{first} serves now (before: the base)\n"
    told = json.loads(run("adapters", "promote", second, "--json").stdout)
    assert told == {"deployed": second, "previous": first}
    assert serving(home) == second
    result = run("adapters", "rollback", "--reason", "it misbehaves")
    assert result.stdout == f"{first} serves now (before: {second})\n"
    assert run("adapters", "rollback").stdout == f"the base serves now (before: {first})\n"
    assert "the base serves already" in one_line(run("adapters", "rollback"))
    with Store.open(Home.open(home).database) as store:
        reasons = [move.reason for move in store.promotions.all()]
    assert reasons == ["rolled back by hand", "it misbehaves", *["promoted by hand"] * 2]


def test_only_a_pass_is_promoted(run: Run, made: Make, home: Path) -> None:
    name = made(GateVerdict.INCONCLUSIVE)
    assert f"{name} may not serve: its gate report" in one_line(run("adapters", "promote", name))
    assert serving(home) is None


def test_a_move_that_was_killed_is_logged_before_the_next(run: Run, made: Make, home: Path) -> None:
    first, second = made(), made()
    run("adapters", "promote", first)
    place = Home.open(home)
    publish(place.deployed, place.adapters / second)  # and there the process was killed
    assert run("adapters", "rollback").stdout == f"{first} serves now (before: {second})\n"


def test_the_pointer_is_moved_by_one_at_a_time_and_waits_for_no_round(
    run: Run, made: Make, home: Path
) -> None:
    name, place = made(), Home.open(home)
    with place.exclusive("round"):
        assert run("adapters", "promote", name).exit_code == 0
        assert run("adapters", "rollback").exit_code == 0
    place.deployed.write_text("{", "utf-8")  # a damaged one is replaced
    assert run("adapters", "promote", name).exit_code == 0
    assert serving(home) == name
    assert run("adapters", "rollback").exit_code == 0
    with place.exclusive("promotion", place.deployed_lock):
        assert "is in use by process" in one_line(run("adapters", "promote", name), 3)
        assert run("adapters", "list").exit_code == 0
    assert serving(home) is None


def test_reject_ends_the_wait_with_a_reason(run: Run, made: Make, home: Path) -> None:
    name = made()
    result = run("adapters", "reject", name, "--reason", "too few tasks")
    assert result.exit_code == 0
    assert f"{name} is rejected" in result.stdout
    with Store.open(Home.open(home).database) as store:
        one = store.rounds.get(1)
    assert (one.state, one.reason) == (RoundState.REJECTED, "too few tasks")
    assert "waits for approval" in one_line(run("adapters", "reject", name))


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
def made_at_server(
    made: Make, make_lora: Callable[..., Path], tiny_model_dir: Path
) -> Callable[..., str]:
    """Makes an adapter of the small model that waits for approval; its name."""

    def make(size: float = 0.2) -> str:
        def write(folder: Path, seed: int) -> None:
            make_lora(folder, tiny_model_dir, seed=seed, size=size)

        return made(model=str(tiny_model_dir), write=write)

    return make


def test_without_adapters_and_servers_there_is_the_base_at_home(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert "serves: the base" in run("adapters", "list").stdout
    assert document(run("adapters", "list", "--json")) == {"deployed": None, "adapters": []}
    assert run("adapters", "publish").stdout == "the base serves at 1 of 1\n"
    told = document(run("adapters", "status", "--json"))
    assert [row["ready"] for row in told["servers"]] == [True]


@pytest.mark.usefixtures("settings")
def test_an_adapters_life_at_a_server(
    run: Run, made_at_server: Callable[..., str], server: ModelServer, home: Path
) -> None:
    first, second = made_at_server(), made_at_server()
    tried = run("adapters", "publish", first)
    assert tried.exit_code == 0, tried.stderr
    assert "4 prompts: rate" in tried.stdout
    assert set(server.serving.adapters) == {first}
    assert not Home.open(home).serving.exists(), "clients notice nothing of a trial"

    assert run("adapters", "promote", first).exit_code == 0
    assert run("adapters", "promote", second).exit_code == 0
    told = document(run("adapters", "status", "--json"))
    assert told["deployed"] == second
    assert told["servers"] == [
        {"where": server.url[7:], "ready": True, "loaded": [first, second], "said": ""}
    ]
    assert json.loads(Home.open(home).serving.read_text())["model"] == second

    assert "roll back" in one_line(run("adapters", "unpublish", second))
    assert run("adapters", "rollback").exit_code == 0
    assert json.loads(Home.open(home).serving.read_text())["model"] == first
    assert run("adapters", "unpublish", second).exit_code == 0
    assert set(server.serving.adapters) == {first}


@pytest.mark.usefixtures("settings")
def test_a_restart_is_seen_and_mended(
    run: Run, made_at_server: Callable[..., str], server: ModelServer
) -> None:
    name = made_at_server()
    run("adapters", "promote", name)
    server.unload(name)
    lost = run("adapters", "status")
    assert (lost.exit_code, "no" in lost.stdout.split()) == (1, True)
    assert run("adapters", "publish").stdout == f"{name} serves at 1 of 1\n"
    assert run("adapters", "status").exit_code == 0


@pytest.mark.usefixtures("settings")
def test_a_failing_canary_is_one_line_and_changes_nothing(
    run: Run, made_at_server: Callable[..., str], server: ModelServer, home: Path
) -> None:
    name = made_at_server(size=0)
    said = one_line(run("adapters", "promote", name), 1)
    assert f"canary of {name} at" in said
    assert "the server doesn't apply the adapter" in said
    assert server.serving.adapters == {}
    assert document(run("adapters", "list", "--json"))["deployed"] is None


@pytest.mark.usefixtures("settings")
def test_a_server_that_is_away_is_exit_code_3(
    run: Run, made_at_server: Callable[..., str], server: ModelServer
) -> None:
    name = made_at_server()
    server.shutdown()
    server.server_close()
    for args in (("promote", name), ("publish",), ("status",), ("publish", name)):
        result = run("adapters", *args)
        assert result.exit_code == 3, args
        assert "can't reach" in result.stdout + result.stderr
