"""``ghostbust bench continual`` on a small model: its tables, its plot, what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter

Run = Callable[..., Result]
Bench = Callable[..., Result]

SETTINGS = """
[model]
device = "cpu"
endpoint = "http://127.0.0.1:9/v1"

[sampling]
max_new_tokens = 6
samples_per_prompt = 1

[training]
rank = 2
members = 1
max_answers = 16

[gates]
humaneval_tasks = 2
"""
KEYS = {
    "model", "ways", "rounds", "seed", "registry", "train_tasks", "holdout_tasks", "samples",
    "temperature", "tables", "home", "adapters", "plots", "wall_s",
}  # fmt: skip


@pytest.fixture
def bench(run: Run, talking_model_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs two rounds on the small model, few tasks, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    for resamples in ("RESAMPLES", "NAME_RESAMPLES"):
        monkeypatch.setattr(f"ghostbust.evaluation.behaviour.{resamples}", 20)

    def invoke(*args: object) -> Result:
        return run(
            "bench", "continual", "--model", talking_model_dir, "--registry", "snapshot",
            "--rounds", 2, "--train-tasks", 8, "--holdout-tasks", 10, *args,
        )  # fmt: skip

    return invoke


def test_two_ways_in_one_table_apart_from_the_users_home(
    bench: Bench, home: Path, talking_model_dir: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    asked = ("--way", "continue", "--way", "stack", "--seed", 5)
    result = bench(*asked, "--json", "--plot", plots)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert set(told) == KEYS
    assert (told["ways"], told["rounds"], told["seed"]) == (["continue", "stack"], 2, 5)
    assert (told["train_tasks"], told["holdout_tasks"], told["samples"]) == (8, 10, 1)
    tables = {table["title"]: table["rows"] for table in told["tables"]}
    assert [(row["way"], row["round"]) for row in tables["rounds"]] == [
        ("continue", 1), ("continue", 2), ("stack", 1), ("stack", 2), ("base", ""),
        ("base again", ""),
    ]  # fmt: skip
    assert [row["rank"] for row in tables["rounds"][:4]] == [2, 2, 2, 4]
    assert set(tables["rounds"][0]["drop"]) == {"value", "low", "high"}
    assert [Path(file).name for file in told["plots"]] == ["rounds.svg"]
    assert (plots / "rounds.svg").is_file()
    stacked = Path(told["adapters"]) / tables["training"][-1]["adapter"]
    assert read_adapter(stacked).model == str(talking_model_dir)
    assert not (home / "ghostbust.db").exists(), "the user's home isn't touched"
    assert not (home / "bench" / "deployed.json").exists()

    people = bench(*asked)
    assert people.exit_code == 0, people.stderr
    for word in ("way", "round", "kept", "volume", "base again"):
        assert word in people.stdout
    assert "zz-harbor-toolkit" not in people.stdout
    assert "train:" not in people.stderr, "what was trained is taken from the home"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--way", "pile"), "--way"),
        (("--rounds", 999), "999 rounds of 8 fresh tasks need 7992 for training"),
        (("--model", "no/such-model"), "can't load the model 'no/such-model'"),
    ],
)
def test_what_can_not_start_is_one_line(bench: Bench, args: tuple[str, ...], said: str) -> None:
    result = bench(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert said in result.stderr
    assert "Traceback" not in result.stderr
