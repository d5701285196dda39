"""``ghostbust bench discovery`` on a small model: its tables, its plot, what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Bench = Callable[..., Result]

SETTINGS = """
[model]
device = "cpu"

[sampling]
max_new_tokens = 6
"""
KEYS = {
    "model", "rewriter", "ways", "seeds", "answers", "wave", "samples", "temperature", "registry",
    "tasks", "tables", "home", "plots", "wall_s",
}  # fmt: skip


@pytest.fixture
def bench(run: Run, talking_model_dir: Path, home: Path) -> Bench:
    """Looks for inventions of the small model, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")

    def invoke(*args: object) -> Result:
        return run(
            "bench", "discovery", "--model", talking_model_dir, "--registry", "snapshot",
            "--answers", 40, "--wave", 10, *args,
        )  # fmt: skip

    return invoke


def test_the_ways_in_one_table_apart_from_the_users_home(
    bench: Bench, home: Path, talking_model_dir: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    asked = ("--seeds", 2, "--way", "adaptive")
    result = bench(*asked, "--json", "--plot", plots)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert set(told) == KEYS
    assert (told["ways"], told["seeds"], told["answers"]) == (["adaptive"], [0, 1], 40)
    assert (told["wave"], told["samples"], told["registry"]) == (10, 1, "snapshot")
    tables = {table["title"]: table["rows"] for table in told["tables"]}
    assert [(row["way"], row["seed"]) for row in tables["found"]] == [
        ("uniform", 0), ("uniform", 1), ("adaptive", 0), ("adaptive", 1), ("uniform", "all"),
        ("adaptive", "all"),
    ]  # fmt: skip
    for row in tables["found"][:2]:
        assert 30 <= row["answers"] <= 40
        assert row["names ratio"] == 1
        assert 1 <= row["names"] <= 4, "the model knows four made-up names"
    assert set(tables["found"][-1]["prompts ratio"]) == {"mean", "least", "most"}
    assert {row["way"] for row in tables["operators"]} == {"adaptive"}
    assert (plots / "finding.svg").is_file()
    assert not (home / "ghostbust.db").exists(), "the user's home isn't touched"

    people = bench(*asked)
    assert people.exit_code == 0, people.stderr
    for word in ("way", "names", "prompts", "ratio", "operator", "written"):
        assert word in people.stdout
    assert "zz-harbor-toolkit" not in people.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--way", "guess"), "--way"),
        (("--answers", 0), "--answers"),
        (("--model", "no/such-model"), "can't load the model 'no/such-model'"),
    ],
)
def test_what_can_not_start_is_one_line(bench: Bench, args: tuple[str, ...], said: str) -> None:
    result = bench(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
