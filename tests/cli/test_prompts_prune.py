"""``ghostbust prompts prune`` and ``export``."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.records import Context, Ecosystem, Lookup, Prompt, Verdict
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import LogRun, Run

DAY = datetime(2026, 12, 1, tzinfo=UTC)
NEVER = Prompt("Plot a map.", Context.HELPS, Ecosystem.PYPI, "maps-01", "maps")
SECRET = replace(NEVER, text="Plot our salaries.", private=True)


@pytest.fixture
def pool(home: Path, log_run: LogRun) -> int:
    """Two prompts that were never asked, one that paid, one that paid nothing; the latter's run."""
    log_run(Lookup(Ecosystem.PYPI, "zz-ghost-lib", Verdict.ABSENT, "", "", "live", DAY))
    run_id = log_run(Lookup(Ecosystem.PYPI, "requests", Verdict.REAL, "", "", "live", DAY))
    with Store.open(Home.open(home).database, keep_private=True) as store:
        store.prompts.add([NEVER, SECRET])
    return run_id


def left(home: Path) -> dict[str, bool]:
    """Id of each prompt that is there, and whether it was taken out."""
    with Store.open(Home.open(home).database) as store:
        return {row.prompt_id: row.pruned is not None for row in store.prompts.pool()}


def test_without_yes_nothing_happens(run: Run, home: Path, pool: int) -> None:
    before = left(home)
    result = run("prompts", "prune", "--never-asked")
    assert result.exit_code == 0
    assert "2 prompts would go; --yes takes them out" in result.stdout
    assert NEVER.id in result.stdout
    assert "salaries" not in result.stdout
    assert left(home) == before


def test_never_asked_ones_are_deleted(run: Run, home: Path, pool: int) -> None:
    told = json.loads(run("prompts", "prune", "--never-asked", "--yes", "--json").stdout)
    assert (told["done"], told["deleted"], told["marked"]) == (True, 2, 0)
    assert {row["id"] for row in told["prompts"]} == {NEVER.id, SECRET.id}
    assert NEVER.id not in left(home)
    assert len(left(home)) == 2


def test_asked_ones_are_marked_and_their_runs_read_as_before(
    run: Run, home: Path, pool: int
) -> None:
    database = Home.open(home).database
    with Store.open(database) as store:
        before = (list(store.answers.read(run_id=pool)), store.runs.get(pool))
    result = run("prompts", "prune", "--paid-nothing", 1, "--yes")
    assert "1 prompts: 0 deleted, 1 marked" in result.stdout
    with Store.open(database) as store:
        assert (list(store.answers.read(run_id=pool)), store.runs.get(pool)) == before
    assert json.loads(run("prompts", "list", "--pruned", "--json").stdout)["found"] == 1
    assert json.loads(run("prompts", "list", "--json").stdout)["found"] == 3


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
def test_criteria_together(run: Run, pool: int, options: tuple[str, ...], count: int) -> None:
    told = json.loads(run("prompts", "prune", *options, "--json").stdout)
    assert len(told["prompts"]) == count
    assert (told["done"], told["deleted"], told["marked"]) == (False, None, None)


def test_the_whole_pool_needs_a_criterion(run: Run, pool: int) -> None:
    result = run("prompts", "prune", "--yes")
    assert result.exit_code == 2
    assert "say which prompts" in result.stderr


def test_the_export_has_every_prompt_and_the_texts_that_may_go_out(
    run: Run, home: Path, pool: int
) -> None:
    run("prompts", "prune", "--paid-nothing", 1, "--yes")
    lines = [json.loads(line) for line in run("prompts", "export").stdout.splitlines()]
    rows = {row["id"]: row for row in lines}
    assert set(rows) == set(left(home))
    assert rows[NEVER.id]["text"] == "Plot a map."
    assert rows[SECRET.id]["text"] is None
    assert sum(row["pruned"] is not None for row in lines) == 1
    assert "zz-ghost-lib" not in run("prompts", "export").stdout
    revealed = run("prompts", "export", "--reveal").stdout
    assert "zz-ghost-lib" in revealed
    assert "Plot our salaries." in revealed


def test_the_export_is_a_file_once_it_is_whole(run: Run, pool: int, tmp_path: Path) -> None:
    out = tmp_path / "pool.jsonl"
    assert run("prompts", "export", "--out", out).stdout == ""
    assert out.read_text("utf-8") == run("prompts", "export").stdout
    assert [path.name for path in tmp_path.glob("*pool.jsonl*")] == ["pool.jsonl"]
    result = run("prompts", "export", "--out", tmp_path / "no" / "pool.jsonl")
    assert result.exit_code == 2
    assert "can't write" in result.stderr
