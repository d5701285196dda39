"""``ghostbust adapters``: list, show, promote, roll back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.adapters import write_adapter
from ghostbust.home import Home
from ghostbust.publishers.directory import publish, published
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

Run = Callable[..., Result]
Make = Callable[..., str]


@pytest.fixture
def made(home: Path) -> Make:
    """Makes a round with a complete adapter and a gate report of this verdict; its name."""

    def make(verdict: GateVerdict = GateVerdict.PASS) -> str:
        place = Home.open(home)
        with Store.open(place.database) as store:
            round_id = store.rounds.start(model="smollm2", method="au", seed=7, settings={})
            name = f"round-{round_id:04d}-aa"
            path = place.adapters / name
            write_adapter(path, model="smollm2", facts={}, save=save)
            store.rounds.add_candidate(
                round_id, Candidate(name, path, "smollm2", "au", 7, 40, 0.1, 61.5)
            )
            reason = "ratio 1.02, within [0.8, 1.25]"
            result = GateResult("volume", verdict, reason, 1.92, None, (0.9, 1.1), "band")
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


def test_an_empty_list_says_that_the_base_serves(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    result = run("adapters", "list")
    assert result.exit_code == 0
    assert "serves: the base" in result.stdout
    assert json.loads(run("adapters", "list", "--json").stdout) == {
        "deployed": None,
        "adapters": [],
    }


def test_the_list_is_newest_first_and_marks_what_serves(run: Run, made: Make) -> None:
    first, second = made(), made(GateVerdict.FAIL)
    assert run("adapters", "promote", first).exit_code == 0
    lines = run("adapters", "list").stdout.splitlines()
    order = [line.split()[:2] for line in lines if "round-0" in line and "serves" not in line]
    assert [words[0] for words in order] == [second, "*"]
    assert order[1][1] == first
    told = json.loads(run("adapters", "list", "--json").stdout)
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
    told = json.loads(run("adapters", "show", name, "--json").stdout)
    assert set(told) == {
        "name", "path", "round", "model", "method", "seed", "verdict", "created", "deployed",
        "gates",
    }  # fmt: skip
    assert told["gates"][0]["ci"] == [0.9, 1.1]
    assert told["gates"][0]["candidate"] is None


@pytest.mark.parametrize("command", ["show", "promote"])
def test_an_unknown_name_is_one_line(run: Run, command: str, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    result = run("adapters", command, "nobody")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "ghostbust: there is no adapter 'nobody'; `ghostbust adapters list` shows them\n"
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
    result = run("adapters", "rollback")
    assert (result.exit_code, "the base serves already" in result.stderr) == (2, True)
    with Store.open(Home.open(home).database) as store:
        reasons = [move.reason for move in store.promotions.all()]
    assert reasons == [
        "rolled back by hand",
        "it misbehaves",
        "promoted by hand",
        "promoted by hand",
    ]


def test_only_a_pass_is_promoted(run: Run, made: Make, home: Path) -> None:
    name = made(GateVerdict.INCONCLUSIVE)
    result = run("adapters", "promote", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"ghostbust: {name} may not serve: its gate report says")
    assert serving(home) is None


def test_a_move_that_was_killed_is_logged_before_the_next(run: Run, made: Make, home: Path) -> None:
    first, second = made(), made()
    run("adapters", "promote", first)
    place = Home.open(home)
    publish(place.deployed, place.adapters / second)  # and there the process was killed
    assert run("adapters", "rollback").stdout == f"{first} serves now (before: {second})\n"


def test_a_damaged_pointer_is_mended_by_promoting_again(run: Run, made: Make, home: Path) -> None:
    name = made()
    run("adapters", "promote", name)
    Home.open(home).deployed.write_text("{", "utf-8")
    assert run("adapters", "promote", name).exit_code == 0
    assert serving(home) == name


def test_a_rollback_waits_for_no_round(run: Run, made: Make, home: Path) -> None:
    name = made()
    with Home.open(home).exclusive("round"):
        assert run("adapters", "promote", name).exit_code == 0
        assert serving(home) == name
        assert run("adapters", "rollback").exit_code == 0
    assert serving(home) is None


def test_the_pointer_is_moved_by_one_at_a_time(run: Run, made: Make, home: Path) -> None:
    name, place = made(), Home.open(home)
    with place.exclusive("promotion", place.deployed_lock):
        result = run("adapters", "promote", name)
        assert (result.exit_code, "is in use by process" in result.stderr) == (3, True)
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
    again = run("adapters", "reject", name)
    assert again.exit_code == 2
    assert "waits for approval" in again.stderr
