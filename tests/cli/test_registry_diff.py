"""`ghostbust registry diff`: names that appeared, and names that vanished."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("present")


def test_the_one_in_use_against_another_day(run: Run) -> None:
    assert run("registry", "sync").exit_code == 0
    told = json.loads(run("registry", "diff", "2026-01-02", "--json").stdout)
    assert (told["ecosystem"], told["old"]) == ("pypi", "2026-01-02")
    assert (told["appeared"], told["appeared_names"]) == (1, ["left-pad"])
    assert (told["vanished"], told["vanished_names"]) == (1, ["go…(4)"])


def test_two_that_are_named_with_vanished_names_in_full(run: Run, home: Path) -> None:
    assert run("registry", "sync").exit_code == 0
    result = run("registry", "diff", home / "registry", "2026-01-02", "--reveal")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == ["+ gone", "- left-pad"]
    assert "1 appeared, 1 vanished" in result.stdout


def test_a_limit_lists_fewer_and_counts_all(run: Run) -> None:
    assert run("registry", "sync").exit_code == 0
    told = json.loads(run("registry", "diff", "2026-01-02", "--limit", "0", "--json").stdout)
    assert (told["appeared"], told["appeared_names"]) == (1, [])


def test_a_day_without_a_snapshot_is_told_which_there_are(run: Run) -> None:
    result = run("registry", "diff", "2020-01-01")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2026-01-02" in result.stderr


def test_an_incomplete_one_shows_no_absence(run: Run, tmp_path: Path) -> None:
    names, few = tmp_path / "names.txt", tmp_path / "few"
    names.write_text("requests\n")
    assert run("registry", "build", names, "--ecosystem", "pypi", "--date", "2026-02-03",
               "--out", few).exit_code == 0  # fmt: skip
    result = run("registry", "diff", "2026-01-02", few)
    assert result.exit_code == 0
    assert "not both are complete" in result.stderr
