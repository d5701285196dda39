"""``ghostbust prompts``: list, show and add."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from ghostbust.home import Home
from ghostbust.prompts import side_of
from ghostbust.records import Context, Ecosystem, Lookup, Prompt, Verdict
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run

DAY = datetime(2026, 12, 1, tzinfo=UTC)
SEED = Prompt("Plot a map.", Context.HELPS, Ecosystem.PYPI, "maps-01", "maps")
CHILD = replace(SEED, text="Plot a globe.", parent=SEED.id, operator="broader")
GRANDCHILD = replace(SEED, text="Plot zz-ghost-lib.", parent=CHILD.id, operator="narrower")
SECRET = replace(SEED, text="Plot our salaries.", family="own", private=True)


@pytest.fixture
def pool(home: Path, log_run: LogRun) -> None:
    """A lineage of three, a private prompt that is kept, one that isn't, and one that paid."""
    log_run(Lookup(Ecosystem.PYPI, "zz-ghost-lib", Verdict.ABSENT, "", "", "live", DAY))
    database = Home.open(home).database
    with Store.open(database, keep_private=True) as store:
        store.prompts.add([SEED, CHILD, GRANDCHILD, SECRET])
    with Store.open(database) as store:
        store.prompts.add([replace(SECRET, text="Plot our losses.")])


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_an_empty_pool_is_an_empty_list(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    assert told(run("prompts", "list", "--json")) == {"prompts": [], "found": 0}


def test_the_list_has_lineage_and_pay_and_no_private_texts(run: Run, pool: None) -> None:
    rows = {row["id"]: row for row in told(run("prompts", "list", "--json"))["prompts"]}
    assert len(rows) == 6
    assert rows[CHILD.id]["parent"] == SEED.id
    assert rows[CHILD.id]["operator"] == "broader"
    assert rows[CHILD.id]["side"] == side_of("maps-01", 0.25)
    assert rows[SECRET.id]["text"] is None
    assert rows[SECRET.id]["private"] is True
    assert rows[GRANDCHILD.id]["text"] == "Plot zz-…(12)."
    paid = next(row for row in rows.values() if row["invented_names"])
    assert (paid["samples"], paid["quiet"], paid["text"]) == (1, 0, "do pip install zz-…(12)")
    shown = run("prompts", "list").stdout
    assert "(private; --reveal shows it)" in shown
    assert "(not kept)" in shown
    assert "salaries" not in shown
    assert "zz-ghost-lib" not in shown
    revealed = run("prompts", "list", "--reveal").stdout
    assert "Plot our salaries." in revealed
    assert "Plot zz-ghost-lib." in revealed


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--paid",), 1),
        (("--operator", "broader"), 1),
        (("--operator", "none"), 4),
        (("--pruned",), 0),
        (("--limit", "2"), 6),
        (("--side", "train"), None),
    ],
)
def test_the_list_is_narrowed(
    run: Run, pool: None, options: tuple[str, ...], found: int | None
) -> None:
    document = told(run("prompts", "list", "--json", *options))
    if found is None:
        assert {row["side"] for row in document["prompts"]} == {"train"}
    else:
        assert document["found"] == found
    assert len(document["prompts"]) <= 2 or "--limit" not in options


def test_most_paid_comes_first(run: Run, pool: None) -> None:
    assert told(run("prompts", "list", "--json"))["prompts"][0]["invented_names"] == 1


def test_a_prompt_is_shown_with_its_lineage_up_and_down(run: Run, pool: None) -> None:
    document = told(run("prompts", "show", CHILD.id, "--json"))
    assert (document["id"], document["text"]) == (CHILD.id, CHILD.text)
    assert [row["id"] for row in document["ancestors"]] == [SEED.id]
    assert [row["id"] for row in document["descendants"]] == [GRANDCHILD.id]
    lines = run("prompts", "show", CHILD.id[:8]).stdout.splitlines()
    tree = [line for line in lines if "names in" in line and "paid" not in line]
    assert tree == [
        f"  {SEED.id} seed: 0 names in 0 samples",
        f"*   {CHILD.id} broader: 0 names in 0 samples",
        f"      {GRANDCHILD.id} narrower: 0 names in 0 samples",
    ]


def test_a_lineage_in_a_circle_ends(run: Run, home: Path) -> None:
    one = replace(SEED, parent=CHILD.id)
    with Store.open(Home.open(home).database) as store:
        store.prompts.add([one, CHILD])
    document = told(run("prompts", "show", SEED.id, "--json"))
    assert [row["id"] for row in document["descendants"]] == [CHILD.id]
    assert [row["id"] for row in document["ancestors"]] == [CHILD.id]


@pytest.mark.parametrize("wanted", ["ffffffffffffffff", "", "x"])
def test_an_unknown_id_is_one_line(run: Run, pool: None, wanted: str) -> None:
    result = run("prompts", "show", wanted)
    assert result.exit_code == 2
    assert "no prompt begins with" in result.stderr


def test_tasks_are_added_from_arguments_files_and_standard_input(
    run: Run, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"task": "Chart the tides.", "id": "tides", "domain": "sea"}\n', "utf-8")
    document = told(
        run("prompts", "add", "Count the gulls.", "--file", file, "--file", "-", "--json",
            stdin="Sort the shells.\n\nName the boats.\n")
    )  # fmt: skip
    assert (document["tasks"], document["new"], len(document["prompts"])) == (4, 8, 8)
    assert {row["family"] for row in document["prompts"]} >= {"tides"}
    with Store.open(Home.open(home).database) as store:
        texts = [row.text or "" for row in store.prompts.pool()]
        assert all(row.private for row in store.prompts.pool())
    assert sum("Chart the tides." in text for text in texts) == 2, "texts are kept: asked for"
    again = run("prompts", "add", "Count the gulls.")
    assert "1 tasks, 2 prompts: 0 new, 2 there already" in again.stdout


def test_what_is_added_may_be_of_npm(run: Run, home: Path) -> None:
    assert run("prompts", "add", "Count the gulls.", "--ecosystem", "npm").exit_code == 0
    with Store.open(Home.open(home).database) as store:
        assert {row.ecosystem for row in store.prompts.pool()} == {Ecosystem.NPM}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to add"),
        (("--file", "/no/such/file"), "can't read the prompts"),
        (("",), "holds no prompts"),
        (("{}",), "the argument, line 1"),
    ],
)
def test_what_cannot_be_added_is_one_line(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run("prompts", "add", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
