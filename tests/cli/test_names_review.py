"""``ghostbust names``: show, accept, ignore, allow, reopen, lookup."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.records import Ecosystem, Lookup, Verdict

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run

DAY = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ledger(log_run: LogRun) -> None:
    """An absent name of PyPI and one of npm."""
    for ecosystem, name in ((Ecosystem.PYPI, "zz-ghost-one"), (Ecosystem.NPM, "@zz/ghost")):
        log_run(Lookup(ecosystem, name, Verdict.ABSENT, "not-registered", "", "live", DAY))


def test_show_tells_what_is_known_and_hides_the_name(run: Run) -> None:
    run("names", "accept", "zz-ghost-one", "--reason", "sure")
    told = json.loads(run("names", "show", "zz-ghost-one", "--json").stdout)
    assert (told["name"], told["contexts"], told["times_seen"]) == ("zz-…(12)", ["code"], 1)
    assert [(r["decision"], r["reason"]) for r in told["reviews"]] == [("accept", "sure")]
    shown = run("names", "show", "zz-ghost-one", "--reveal").stdout
    assert "zz-ghost-one (pypi): ABSENT" in shown
    assert "accept: sure" in shown


def test_what_is_ignored_is_listed_only_if_asked_for(run: Run) -> None:
    result = run("names", "ignore", "@zz/ghost")
    assert result.exit_code == 0, result.stderr
    assert "@zz/gh…(5): not listed any more" in result.stdout
    assert "1 of 2 names" in run("names", "list").stdout
    assert "2 of 2 names" in run("names", "list", "--ignored").stdout
    run("names", "reopen", "@zz/ghost")
    assert "2 of 2 names" in run("names", "list").stdout


def test_what_is_allowed_is_passed_over_by_check(run: Run) -> None:
    assert run("check", "zz-ghost-one", "--registry", "snapshot").exit_code == 1
    assert run("names", "allow", "zz-ghost-one", "--reason", "ours").exit_code == 0
    result = run("check", "zz-ghost-one", "--registry", "snapshot", "--json")
    assert result.exit_code == 0
    assert "allowed" in result.stdout
    run("names", "reopen", "zz-ghost-one")
    assert run("check", "zz-ghost-one", "--registry", "snapshot").exit_code == 1


@pytest.mark.parametrize("command", ["show", "accept", "lookup"])
def test_a_name_that_is_not_in_the_ledger_is_one_line(run: Run, command: str) -> None:
    result = run("names", command, "zz-nobody")
    assert result.exit_code == 2
    assert "no name 'zz-nobody'" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_lookup_asks_the_registry_now(run: Run, index: Any) -> None:
    assert run("names", "lookup", "zz-ghost-one").exit_code == 0
    index.names.append("zz-ghost-one")
    found = run("names", "lookup", "zz-ghost-one", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["registered"] is True
    assert json.loads(run("names", "show", "zz-ghost-one", "--json").stdout)["claimed_at"]


def test_lookup_without_an_answer_could_not_ask(run: Run, index: Any) -> None:
    index.status = 403
    assert run("names", "lookup", "zz-ghost-one").exit_code == 3
