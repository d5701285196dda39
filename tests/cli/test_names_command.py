"""``ghostbust names``: the ledger, and asking again with a small model."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run

DAY = datetime(2026, 12, 1, tzinfo=UTC)
SETTINGS = "[sampling]\nmax_new_tokens = 8\nsamples_per_prompt = 2\n\n[model]\ndevice = 'cpu'\n"


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_an_empty_ledger(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert told(run("names", "list", "--json")) == {"adapter": None, "names": [], "total": 0}


def test_names_are_redacted_searched_and_limited(run: Run, log_run: LogRun) -> None:
    for name in ("zz-ghost-one", "zz-ghost-two", "zz-other"):
        log_run(Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "not-registered", "", "live", DAY))
    shown = run("names", "list").stdout
    assert "zz-ghost" not in shown
    assert "zz-…(12)" in shown
    assert "3 of 3 names" in shown
    found = told(run("names", "list", "--search", "ghost", "--reveal", "--json"))
    assert [row["name"] for row in found["names"]] == ["zz-ghost-one", "zz-ghost-two"]
    (row,) = told(run("names", "list", "--limit", 1, "--order", "name", "--json"))["names"]
    assert row["name"] == "zz-…(12)"
    assert (row["ecosystem"], row["verdict"], row["times_seen"]) == ("pypi", "ABSENT", 1)
    assert row["repeats"] == []


def test_an_unknown_adapter_is_one_line(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    result = run("names", "list", "--adapter", "round-9")
    assert result.exit_code == 2
    assert "no adapter 'round-9'" in result.stderr


def test_what_a_sweep_found_is_asked_again(run: Run, home: Path, talking_model_dir: Path) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    model = ("--model", talking_model_dir, "--registry", "snapshot")
    assert run("sweep", *model, "--limit", 4).exit_code == 0
    asked = told(
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


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--budget", 5), "--budget 5"), ((), "nothing to ask again")],
)
def test_what_cannot_be_asked_is_one_line(run: Run, options: tuple[object, ...], said: str) -> None:
    result = run("names", "repeat", "--registry", "snapshot", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr.splitlines()[-1]
