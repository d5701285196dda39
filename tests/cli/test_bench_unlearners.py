"""``ghostbust bench unlearners`` on a small model: its tables, its plot, what it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter
from ghostbust.prompts import seed_tasks, side_of, split
from ghostbust.records import Side
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

Run = Callable[..., Result]
Bench = Callable[..., Result]

SETTINGS = """
[model]
device = "cpu"

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
    "model", "methods", "seeds", "registry", "train_tasks", "holdout_tasks", "samples",
    "equal_steps", "temperature", "tables", "home", "adapters", "plots", "wall_s",
}  # fmt: skip


@pytest.fixture
def bench(run: Run, talking_model_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs the bench on the small model, few tasks, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    for resamples in ("RESAMPLES", "NAME_RESAMPLES"):
        monkeypatch.setattr(f"ghostbust.evaluation.behaviour.{resamples}", 20)

    def invoke(*args: object) -> Result:
        return run(
            "bench", "unlearners", "--model", talking_model_dir, "--registry", "snapshot",
            "--train-tasks", 12, "--holdout-tasks", 10, *args,
        )  # fmt: skip

    return invoke


def document(result: Result) -> dict[str, Any]:
    """The one JSON document on standard output."""
    assert result.exit_code == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def rows(told: dict[str, Any], title: str) -> list[dict[str, Any]]:
    (found,) = [table["rows"] for table in told["tables"] if table["title"] == title]
    return list(found)


def one_line(result: Result) -> str:
    """Standard error, which ends with one line of ours; nothing else was printed."""
    assert (result.exit_code, result.stdout) == (2, ""), result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr.splitlines()[-1]


def test_two_methods_in_one_table_apart_from_the_users_home(
    bench: Bench, run: Run, home: Path, talking_model_dir: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    asked = ("--method", "au-repair", "--method", "ga", "--seed", 5, "--json")
    told = document(bench(*asked, "--plot", plots))
    assert set(told) == KEYS
    assert (told["methods"], told["seeds"]) == (["au-repair", "ga"], [5])
    assert (told["train_tasks"], told["holdout_tasks"], told["samples"]) == (12, 10, 1)
    summary = rows(told, "summary")
    assert [(row["method"], row["seed"]) for row in summary] == [
        ("au-repair", 5), ("au-repair", "all 1"), ("ga", 5), ("ga", "all 1"), ("base again", ""),
    ]  # fmt: skip
    assert set(summary[0]["drop"]) == {"value", "low", "high"}
    assert set(summary[1]["drop"]) == {"mean", "least", "most"}
    assert summary[0]["drop"]["value"] == summary[1]["drop"]["mean"]
    assert summary[0]["likelihood %"]["value"] is not None
    assert [Path(file).name for file in told["plots"]] == ["frontier.svg"]
    assert (plots / "frontier.svg").is_file()
    folder = Path(told["adapters"]) / rows(told, "training")[0]["adapter"]
    assert read_adapter(folder).model == str(talking_model_dir)

    assert not (home / "ghostbust.db").exists(), "the user's home isn't touched"
    assert list((home / "adapters").iterdir()) == []
    refused = run("round", "--model", talking_model_dir, "--registry", "snapshot")
    assert "nothing to unlearn is logged yet" in refused.stderr
    with Store.open(home / "bench" / "ghostbust.db") as store:
        trained = {a.sample.prompt.family for a in store.answers.read(run_id=1)}
        assert store.runs.get(1).spec.kind is RunKind.SWEEP
        runs = len(store.runs.recent())
    assert {side_of(family, 0.25) for family in trained} == {Side.TRAIN}

    # What the bench asked isn't asked again when an adapter is looked at more closely.
    looked = run(
        "eval", "--home", home / "bench", "--config", home / "ghostbust.toml", "--adapter", folder,
        "--model", talking_model_dir, "--registry", "snapshot", "--temperature", 0.7, "--limit", 10,
        "--json",
    )  # fmt: skip
    assert looked.exit_code == 0, looked.stderr
    with Store.open(home / "bench" / "ghostbust.db") as store:
        assert len(store.runs.recent()) == runs


def test_people_get_tables_of_every_seed_from_this_process(bench: Bench, home: Path) -> None:
    served = SETTINGS.replace("[model]", '[model]\nendpoint = "http://127.0.0.1:9/v1"')
    (home / "ghostbust.toml").write_text(served, "utf-8")
    result = bench("--method", "ga", "--seeds", 2)
    assert result.exit_code == 0, result.stderr
    for word in ("all 2", "volume ratio", "overlap", "likelihood", "looks", "base again"):
        assert word in result.stdout
    assert "zz-harbor-toolkit" not in result.stdout
    assert "ga, seed 1" in result.stderr


def test_own_tasks_and_another_share(bench: Bench, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    tasks = seed_tasks()[:40]
    lines = [json.dumps({"id": task.id, "task": task.text}) for task in tasks]
    file.write_text("\n".join(lines), "utf-8")
    train, holdout = split(tasks, 0.6)
    asked = ("--prompts", file, "--holdout-share", 0.6, "--method", "unlikelihood", "--seed", 0)
    told = document(bench(*asked, "--ecosystem", "npm", "--json"))
    assert told["train_tasks"] == min(12, len(train))
    assert told["holdout_tasks"] == min(10, len(holdout))
    with Store.open(home / "bench" / "ghostbust.db") as store:
        assert list(store.answers.read()) == [], "texts of own tasks are kept only if asked"
        assert store.answers.sampled_keys(1)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--method", "npos"), "--method: should be 'au-heard', 'au-repair'"),
        (("--model", "no/such-model"), "can't load the model 'no/such-model'"),
        (("--prompts", "gone.jsonl"), "can't read the prompts in"),
        (("--holdout-share", 1.5), "--holdout-share"),
        (("--holdout-share", 0.000001), "none of the tasks is held out"),
        (("--holdout-share", 0.999999), "none of the tasks is for training"),
    ],
)
def test_what_can_not_start_is_one_line(bench: Bench, args: tuple[str, ...], said: str) -> None:
    assert said in one_line(bench(*args))
