"""``ghostbust prompts``: list, show, add, prune and export."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.prompts import side_of
from ghostbust.records import Context, Ecosystem, Lookup, Prompt, Verdict
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

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


def test_the_list_has_lineage_and_pay_and_no_private_texts(run: Run, pool: None) -> None:
    listed = document(run("prompts", "list", "--json"))["prompts"]
    assert listed[0]["invented_names"] == 1, "what paid most comes first"
    rows = {row["id"]: row for row in listed}
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
    told = document(run("prompts", "list", "--json", *options))
    if found is None:
        assert {row["side"] for row in told["prompts"]} == {"train"}
    else:
        assert told["found"] == found
    assert len(told["prompts"]) <= 2 or "--limit" not in options


def test_a_prompt_is_shown_with_its_lineage_up_and_down(run: Run, pool: None) -> None:
    told = document(run("prompts", "show", CHILD.id, "--json"))
    assert (told["id"], told["text"]) == (CHILD.id, CHILD.text)
    assert [row["id"] for row in told["ancestors"]] == [SEED.id]
    assert [row["id"] for row in told["descendants"]] == [GRANDCHILD.id]
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
    told = document(run("prompts", "show", SEED.id, "--json"))
    assert [row["id"] for row in told["descendants"]] == [CHILD.id]
    assert [row["id"] for row in told["ancestors"]] == [CHILD.id]


def test_tasks_are_added_from_arguments_files_and_standard_input(
    run: Run, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"task": "Chart the tides.", "id": "tides", "domain": "sea"}\n', "utf-8")
    told = document(
        run("prompts", "add", "Count the gulls.", "--file", file, "--file", "-", "--json",
            stdin="Sort the shells.\n\nName the boats.\n")
    )  # fmt: skip
    assert (told["tasks"], told["new"], len(told["prompts"])) == (4, 8, 8)
    assert {row["family"] for row in told["prompts"]} >= {"tides"}
    with Store.open(Home.open(home).database) as store:
        texts = [row.text or "" for row in store.prompts.pool()]
        assert all(row.private for row in store.prompts.pool())
    assert sum("Chart the tides." in text for text in texts) == 2, "texts are kept: asked for"
    again = run("prompts", "add", "Count the gulls.")
    assert "1 tasks, 2 prompts: 0 new, 2 there already" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add",), "nothing to add"),
        (("add", "--file", "/no/such/file"), "can't read the prompts"),
        (("add", ""), "holds no prompts"),
        (("add", "{}"), "the argument, line 1"),
        (("prune", "--yes"), "say which prompts"),
        (("show", "ffffffffffffffff"), "no prompt begins with"),
        (("show", ""), "no prompt begins with"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    run: Run, pool: None, arguments: tuple[str, ...], said: str
) -> None:
    assert said in one_line(run("prompts", *arguments))


@pytest.fixture
def asked_pool(home: Path, log_run: LogRun) -> int:
    """Two prompts that were never asked, one that paid, one that paid nothing; the latter's run."""
    log_run(Lookup(Ecosystem.PYPI, "zz-ghost-lib", Verdict.ABSENT, "", "", "live", DAY))
    run_id = log_run(Lookup(Ecosystem.PYPI, "requests", Verdict.REAL, "", "", "live", DAY))
    with Store.open(Home.open(home).database, keep_private=True) as store:
        store.prompts.add([SEED, SECRET])
    return run_id


def left(home: Path) -> dict[str, bool]:
    """Id of each prompt that is there, and whether it was taken out."""
    with Store.open(Home.open(home).database) as store:
        return {row.prompt_id: row.pruned is not None for row in store.prompts.pool()}


def test_without_yes_nothing_happens(run: Run, home: Path, asked_pool: int) -> None:
    before = left(home)
    result = run("prompts", "prune", "--never-asked")
    assert result.exit_code == 0
    assert "2 prompts would go; --yes takes them out" in result.stdout
    assert SEED.id in result.stdout
    assert "salaries" not in result.stdout
    assert left(home) == before


def test_never_asked_ones_are_deleted(run: Run, home: Path, asked_pool: int) -> None:
    told = document(run("prompts", "prune", "--never-asked", "--yes", "--json"))
    assert (told["done"], told["deleted"], told["marked"]) == (True, 2, 0)
    assert {row["id"] for row in told["prompts"]} == {SEED.id, SECRET.id}
    assert SEED.id not in left(home)
    assert len(left(home)) == 2


def test_asked_ones_are_marked_and_their_runs_read_as_before(
    run: Run, home: Path, asked_pool: int
) -> None:
    database = Home.open(home).database
    with Store.open(database) as store:
        before = (list(store.answers.read(run_id=asked_pool)), store.runs.get(asked_pool))
    result = run("prompts", "prune", "--paid-nothing", 1, "--yes")
    assert "1 prompts: 0 deleted, 1 marked" in result.stdout
    with Store.open(database) as store:
        assert (list(store.answers.read(run_id=asked_pool)), store.runs.get(asked_pool)) == before
    assert document(run("prompts", "list", "--pruned", "--json"))["found"] == 1
    assert document(run("prompts", "list", "--json"))["found"] == 3


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--retired",), 0),
        (("--paid-nothing", "2"), 0),
        (("--never-asked", "--older-than", "1"), 0),
        (("--older-than", "0", "--operator", "broader"), 0),
        (("--never-asked", "--paid-nothing", "1"), 3),
    ],
)
def test_criteria_together(run: Run, asked_pool: int, options: tuple[str, ...], count: int) -> None:
    told = document(run("prompts", "prune", *options, "--json"))
    assert len(told["prompts"]) == count
    assert (told["done"], told["deleted"], told["marked"]) == (False, None, None)


def test_the_export_has_every_prompt_and_the_texts_that_may_go_out(
    run: Run, home: Path, asked_pool: int
) -> None:
    run("prompts", "prune", "--paid-nothing", 1, "--yes")
    lines = [json.loads(line) for line in run("prompts", "export").stdout.splitlines()]
    rows = {row["id"]: row for row in lines}
    assert set(rows) == set(left(home))
    assert rows[SEED.id]["text"] == "Plot a map."
    assert rows[SECRET.id]["text"] is None
    assert sum(row["pruned"] is not None for row in lines) == 1
    assert "zz-ghost-lib" not in run("prompts", "export").stdout
    revealed = run("prompts", "export", "--reveal").stdout
    assert "zz-ghost-lib" in revealed
    assert "Plot our salaries." in revealed


def test_the_export_is_a_file_once_it_is_whole(run: Run, asked_pool: int, tmp_path: Path) -> None:
    out = tmp_path / "pool.jsonl"
    assert run("prompts", "export", "--out", out).stdout == ""
    assert out.read_text("utf-8") == run("prompts", "export").stdout
    assert [path.name for path in tmp_path.glob("*pool.jsonl*")] == ["pool.jsonl"]
    lost = run("prompts", "export", "--out", tmp_path / "no" / "pool.jsonl")
    assert "can't write" in one_line(lost)
