"""``ghostbust export``: adapters and the ledger, written whole or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from ghostbust.adapters import read_copy
from ghostbust.home import Home
from ghostbust.reports.writers import code
from ghostbust.store.store import Store
from tests.cli.reading import one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def adapter(home: Path, fill_home: Callable[[Home], str]) -> str:
    return fill_home(Home.open(home))


def test_an_adapter_is_copied_by_name(run: Run, home: Path, adapter: str, tmp_path: Path) -> None:
    done = run("export", "adapter", adapter, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert read_copy(tmp_path / "out").name == adapter
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    _, metadata, text = card.split("---\n", 2)
    assert yaml.safe_load(metadata)["library_name"] == "peft"
    with Store.open(Home.open(home).database, read_only=True) as store:
        row = store.rounds.adapter(adapter)
        report = row and store.rounds.gate_report(row.round_id)
    assert report
    for result in report.results:
        assert f"| {code(result.gate)} | {result.verdict} |" in text
        assert code(result.reason) in text
    again = run("export", "adapter", adapter, "--out", tmp_path / "out")
    assert "is there already" in one_line(again)


def test_no_adapter_is_no_export(run: Run, adapter: str, tmp_path: Path) -> None:
    for name, said in (("nope", "no adapter 'nope'"), ("deployed", "the base serves")):
        assert said in one_line(run("export", "adapter", name, "--out", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", ["sqlite", "jsonl", "csv", "cyclonedx"])
def test_the_ledger_is_written_for_the_user_alone(
    run: Run, adapter: str, tmp_path: Path, shape: str
) -> None:
    out = tmp_path / f"ledger.{shape}"
    done = run("export", "ledger", "--format", shape, "--out", out)
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o777 == 0o600
    assert b"zz-quux-sensorlib" not in out.read_bytes()
    run("export", "ledger", "--format", shape, "--out", out, "--reveal")
    assert (b"zz-quux-sensorlib" in out.read_bytes()) is (shape != "cyclonedx")


def test_the_description_names_the_database(run: Run, adapter: str, tmp_path: Path) -> None:
    out = tmp_path / "mine.db"
    run("export", "ledger", "--out", out)
    told = json.loads((tmp_path / "mine.db.metadata.json").read_text("utf-8"))
    tables = told["databases"]["mine"]["tables"]
    with closing(sqlite3.connect(out)) as db:
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    assert set(tables) <= there


def test_a_file_that_cant_be_written_is_one_line(run: Run, adapter: str, tmp_path: Path) -> None:
    assert "can't write" in one_line(run("export", "ledger", "--out", tmp_path / "none" / "x.db"))
