"""``ghostbust names``: the ledger, decisions, and asking again with a small model."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line
from tests.terminal import printed_on_a_terminal

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run


DAY = datetime(2026, 12, 1, tzinfo=UTC)
SETTINGS = "[sampling]\nmax_new_tokens = 8\nsamples_per_prompt = 2\n\n[model]\ndevice = 'cpu'\n"


def test_names_are_redacted_searched_and_limited(run: Run, log_run: LogRun) -> None:
    for name in ("zz-ghost-one", "zz-ghost-two", "zz-other"):
        log_run(Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "live", DAY))
    shown = run("names", "list").stdout
    assert "zz-ghost" not in shown
    assert "zz-…(12)" in shown
    assert "3 of 3 names" in shown
    found = document(run("names", "list", "--search", "ghost", "--reveal", "--json"))
    assert [row["name"] for row in found["names"]] == ["zz-ghost-one", "zz-ghost-two"]
    (row,) = document(run("names", "list", "--limit", 1, "--order", "name", "--json"))["names"]
    assert row["name"] == "zz-…(12)"
    assert (row["ecosystem"], row["verdict"], row["times_seen"]) == ("pypi", "ABSENT", 1)
    assert row["repeats"] == []


def test_a_terminal_shows_names_in_full_and_what_leaves_it_does_not(
    run: Run, log_run: LogRun, home: Path
) -> None:
    log_run(Lookup(Ecosystem.PYPI, "zz-ghost-one", Verdict.ABSENT, "n", "", "live", DAY))
    command = [sys.executable, "-m", "ghostbust", "names", "list", "--home", str(home)]
    environ = os.environ | {"COLUMNS": "160"}
    assert "zz-ghost-one" in printed_on_a_terminal(command, environ)
    piped = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
    assert "zz-…(12)" in piped
    assert "zz-ghost-one" not in piped
    as_json = printed_on_a_terminal([*command, "--json"], environ)
    assert "zz-ghost-one" not in as_json
    assert "zz-ghost-one" in printed_on_a_terminal([*command, "--json", "--reveal"], environ)


def test_what_a_sweep_found_is_asked_again(run: Run, home: Path, talking_model_dir: Path) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    model = ("--model", talking_model_dir, "--registry", "snapshot")
    assert run("sweep", *model, "--limit", 4).exit_code == 0
    asked = document(
        run("names", "repeat", *model, "--names", 2, "--samples", 10, "--budget", 25, "--json",
            "--reveal")
    )  # fmt: skip
    assert asked["adapter"] is None
    assert asked["answers"] == 10 * asked["prompts"] <= 25
    assert asked["seed"] == asked["run"] == 2
    for name in asked["names"]:
        (figure,) = name["repeats"]
        assert figure["asked_again"] >= 10
        assert 0 <= figure["came_back"] <= figure["asked_again"]
    with Store.open(Home.open(home).database) as store:
        assert store.runs.get(2).spec.kind is RunKind.REPEAT
        first = store.ledger.get(Ecosystem.PYPI, asked["names"][0]["name"])
    assert first is not None
    shown = run("names", "list", "--order", "repeats").stdout
    assert f"{first.came_back} of {first.asked_again}" in shown
    assert "came back: with the base" in shown


@pytest.fixture
def ledger(log_run: LogRun) -> None:
    """An absent name of PyPI and one of npm."""
    for ecosystem, name in ((Ecosystem.PYPI, "zz-ghost-one"), (Ecosystem.NPM, "@zz/ghost")):
        log_run(Lookup(ecosystem, name, Verdict.ABSENT, "not-registered", "", "live", DAY))


@pytest.mark.usefixtures("ledger")
def test_show_tells_what_is_known_and_hides_the_name(run: Run) -> None:
    run("names", "accept", "zz-ghost-one", "--reason", "sure")
    told = document(run("names", "show", "zz-ghost-one", "--json"))
    assert (told["name"], told["contexts"], told["times_seen"]) == ("zz-…(12)", ["code"], 1)
    assert [(r["decision"], r["reason"]) for r in told["reviews"]] == [("accept", "sure")]
    shown = run("names", "show", "zz-ghost-one", "--reveal").stdout
    assert "zz-ghost-one (pypi): ABSENT" in shown
    assert "accept: sure" in shown


@pytest.mark.usefixtures("ledger")
def test_what_is_ignored_is_listed_only_if_asked_for(run: Run) -> None:
    result = run("names", "ignore", "@zz/ghost")
    assert result.exit_code == 0, result.stderr
    assert "@zz/gh…(5): not listed any more" in result.stdout
    assert "1 of 2 names" in run("names", "list").stdout
    assert "2 of 2 names" in run("names", "list", "--ignored").stdout
    run("names", "reopen", "@zz/ghost")
    assert "2 of 2 names" in run("names", "list").stdout


@pytest.mark.usefixtures("ledger")
def test_what_is_allowed_is_passed_over_by_check(run: Run) -> None:
    assert run("check", "zz-ghost-one", "--registry", "snapshot").exit_code == 1
    assert run("names", "allow", "zz-ghost-one", "--reason", "ours").exit_code == 0
    told = document(run("check", "zz-ghost-one", "--registry", "snapshot", "--json"))
    assert told["results"][0]["reason"] == "allowed"
    run("names", "reopen", "zz-ghost-one")
    assert run("check", "zz-ghost-one", "--registry", "snapshot").exit_code == 1


@pytest.mark.usefixtures("ledger")
def test_lookup_asks_the_registry_now(run: Run, index: Any) -> None:
    assert run("names", "lookup", "zz-ghost-one").exit_code == 0
    index.names.append("zz-ghost-one")
    assert document(run("names", "lookup", "zz-ghost-one", "--json"), 1)["registered"] is True
    assert document(run("names", "show", "zz-ghost-one", "--json"))["claimed_at"]
    index.status = 403
    assert run("names", "lookup", "zz-ghost-one").exit_code == 3


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("show", "zz-nobody"), "no name 'zz-nobody'"),
        (("accept", "zz-nobody"), "no name 'zz-nobody'"),
        (("lookup", "zz-nobody"), "no name 'zz-nobody'"),
        (("list", "--adapter", "round-9"), "no adapter 'round-9'"),
        (("repeat", "--registry", "snapshot", "--budget", 5), "--budget 5"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, command: tuple[object, ...], said: str) -> None:
    assert said in one_line(run("names", *command))


def test_an_empty_ledger_is_an_empty_list_with_nothing_to_ask_again(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert document(run("names", "list", "--json")) == {"adapter": None, "names": [], "total": 0}
    assert "nothing to ask again" in one_line(run("names", "repeat", "--registry", "snapshot"))
