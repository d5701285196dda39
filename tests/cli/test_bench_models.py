"""``ghostbust bench`` on a small model: tables, plots, documents, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import Result

from ghostbust.adapters import read_adapter
from ghostbust.prompts import FRESH, of_suite, seed_tasks, side_of, split, suite_family
from ghostbust.records import Context, Side
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line

if TYPE_CHECKING:
    from tests.cli.reading import Run

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
samples = 2
"""
SERVERS = 'endpoint = "http://127.0.0.1:9/v1"\nendpoints = [{url = "http://127.0.0.1:9"}]'
SERVED = SETTINGS.replace("[model]", f"[model]\n{SERVERS}")
"""what trains here is sampled here, whatever server the settings name"""
FEW = {
    "unlearners": ("--train-tasks", 12, "--holdout-tasks", 10),
    "continual": ("--rounds", 2, "--train-tasks", 8, "--holdout-tasks", 10),
    "discovery": ("--answers", 40, "--wave", 10),
}
KEYS = {
    "model", "registry", "samples", "temperature", "tables", "home", "plots", "wall_s",
}  # fmt: skip
TRAINED = KEYS | {"train_tasks", "holdout_tasks", "adapters"}


@pytest.fixture
def bench(run: Run, talking_model_dir: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a bench on the small model, few tasks, judged by the snapshot."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    for resamples in ("RESAMPLES", "NAME_RESAMPLES"):
        monkeypatch.setattr(f"ghostbust.evaluation.behaviour.{resamples}", 20)

    def invoke(name: str, *args: object) -> Result:
        model = ("--model", talking_model_dir, "--registry", "snapshot")
        return run("bench", name, *model, *FEW[name], *args)

    return invoke


def rows(told: dict[str, Any], title: str) -> list[dict[str, Any]]:
    (found,) = [table["rows"] for table in told["tables"] if table["title"] == title]
    return list(found)


def check_tables(result: Result, *words: str) -> None:
    """People read these words, and no made-up name in full."""
    assert result.exit_code == 0, result.stderr
    assert [word for word in words if word not in result.stdout] == []
    assert "zz-harbor-toolkit" not in result.stdout


def test_methods_in_one_table_apart_from_the_users_home(
    bench: Run, run: Run, home: Path, talking_model_dir: Path, tmp_path: Path
) -> None:
    plots = tmp_path / "plots"
    methods = (
        "--method",
        "au-repair",
        "--method",
        "ga",
        "--method",
        "base@0.3",
        "--method",
        "guard",
    )
    asked = (*methods, "--seed", 5, "--json")
    told = document(bench("unlearners", *asked, "--plot", plots))
    assert set(told) == TRAINED | {
        "methods", "lr", "comparators", "guard", "seeds", "holdout_samples", "equal_steps", "fresh",
    }  # fmt: skip
    assert (told["methods"], told["seeds"]) == (["au-repair", "ga"], [5])
    assert told["guard"]
    assert (told["lr"], told["comparators"]) == ([], ["base@0.3"])
    assert (told["train_tasks"], told["holdout_tasks"], told["samples"]) == (12, 10, 1)
    assert told["holdout_samples"] == 2, "the settings' gates.samples"
    summary = rows(told, "summary")
    assert [(row["method"], row["seed"]) for row in summary] == [
        ("au-repair", 5), ("au-repair", "all 1"), ("ga", 5), ("ga", "all 1"),
        ("au-repair + guard", 5), ("au-repair + guard", "all 1"),
        ("ga + guard", 5), ("ga + guard", "all 1"),
        ("guard", ""), ("base@0.3", ""), ("base again", ""),
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

    # What the bench sampled isn't sampled again when an adapter is evaluated further.
    looked = run(
        "eval", "--home", home / "bench", "--config", home / "ghostbust.toml", "--adapter", folder,
        "--model", talking_model_dir, "--registry", "snapshot", "--temperature", 0.7, "--limit", 10,
        "--samples", 2, "--json",
    )  # fmt: skip
    assert looked.exit_code == 0, looked.stderr
    with Store.open(home / "bench" / "ghostbust.db") as store:
        assert len(store.runs.recent()) == runs


def test_people_get_tables_of_every_seed_from_this_process(bench: Run, home: Path) -> None:
    (home / "ghostbust.toml").write_text(SERVED, "utf-8")
    sweep = ("--lr", 1e-3, "--lr", 2e-3, "--holdout-samples", 1)
    result = bench("unlearners", "--method", "ga", "--seeds", 2, *sweep)
    check_tables(result, "all 2", "ga@0.001", "ga@0.002")
    check_tables(result, "supported", "different", "likelihood", "looks", "base again")
    assert "ga@0.002, seed 1" in result.stderr


def test_the_fresh_tasks_measure_and_the_training_tasks_stay(bench: Run, home: Path) -> None:
    told = document(
        bench("unlearners", "--suite", "fresh", "--method", "ga", "--seed", 0, "--json")
    )
    assert (told["fresh"], told["train_tasks"], told["holdout_tasks"]) == (True, 12, 10)
    with Store.open(home / "bench" / "ghostbust.db") as store:
        by_kind: dict[RunKind, set[str]] = {}
        for run in store.runs.recent():
            # The store keeps a text under the family that had it first: code may come twice.
            families = {
                a.sample.prompt.family
                for a in store.answers.read(run_id=run.id)
                if a.sample.prompt.context is not Context.NEEDS
            }
            by_kind.setdefault(run.spec.kind, set()).update(families)
    assert not any(map(of_suite, by_kind[RunKind.SWEEP]))
    assert len(by_kind[RunKind.EVAL]) == 10
    assert all(family.startswith(suite_family(FRESH, "")) for family in by_kind[RunKind.EVAL])


def test_own_tasks_and_another_share(bench: Run, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    tasks = seed_tasks()[:40]
    lines = [json.dumps({"id": task.id, "task": task.text}) for task in tasks]
    file.write_text("\n".join(lines), "utf-8")
    train, holdout = split(tasks, 0.6)
    asked = ("--prompts", file, "--holdout-share", 0.6, "--method", "unlikelihood", "--seed", 0)
    told = document(bench("unlearners", *asked, "--ecosystem", "npm", "--json"))
    assert told["train_tasks"] == min(12, len(train))
    assert told["holdout_tasks"] == min(10, len(holdout))
    with Store.open(home / "bench" / "ghostbust.db") as store:
        assert list(store.answers.read()) == [], "texts of own tasks are kept only if asked"
        assert store.answers.sampled_keys(1)


def test_ways_of_training_on_in_one_table(
    bench: Run, home: Path, talking_model_dir: Path, tmp_path: Path
) -> None:
    (home / "ghostbust.toml").write_text(SERVED, "utf-8")
    plots = tmp_path / "plots"
    asked = ("--way", "continue", "--way", "stack", "--seed", 5, "--suite", "fresh")
    told = document(bench("continual", *asked, "--json", "--plot", plots))
    assert set(told) == TRAINED | {"ways", "rounds", "seed", "holdout_samples", "fresh"}
    assert (told["ways"], told["rounds"], told["seed"]) == (["continue", "stack"], 2, 5)
    assert (told["train_tasks"], told["holdout_tasks"], told["samples"]) == (8, 10, 1)
    assert (told["holdout_samples"], told["fresh"]) == (2, True)
    rounds = rows(told, "rounds")
    assert [(row["way"], row["round"]) for row in rounds] == [
        ("continue", 1), ("continue", 2), ("stack", 1), ("stack", 2), ("base", ""),
        ("base again", ""),
    ]  # fmt: skip
    assert [row["rank"] for row in rounds[:4]] == [2, 2, 2, 4]
    assert set(rounds[0]["drop"]) == {"value", "low", "high"}
    assert [Path(file).name for file in told["plots"]] == ["rounds.svg"]
    assert (plots / "rounds.svg").is_file()
    stacked = Path(told["adapters"]) / rows(told, "training")[-1]["adapter"]
    assert read_adapter(stacked).model == str(talking_model_dir)
    assert not (home / "ghostbust.db").exists(), "the user's home isn't touched"
    assert not (home / "bench" / "deployed.json").exists()
    with Store.open(home / "bench" / "ghostbust.db") as store:
        sides = {run.spec.kind: store.answers.read(run_id=run.id) for run in store.runs.recent()}
        families = {k: {a.sample.prompt.family for a in side} for k, side in sides.items()}
        numbers = {a.sample.number for a in store.answers.read(run_id=store.runs.recent(1)[0].id)}
    assert all(map(of_suite, families[RunKind.EVAL]))
    assert not any(map(of_suite, families[RunKind.SWEEP]))
    assert numbers == {0, 1}

    people = bench("continual", *asked)
    check_tables(people, "way", "round", "kept", "supported", "base again")
    assert "train:" not in people.stderr, "what was trained is taken from the home"


def test_ways_of_searching_in_one_table(bench: Run, home: Path, tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    asked = ("--seeds", 2, "--way", "adaptive")
    told = document(bench("discovery", *asked, "--json", "--plot", plots))
    assert set(told) == KEYS | {"rewriter", "ways", "seeds", "answers", "wave", "tasks"}
    assert (told["ways"], told["seeds"], told["answers"]) == (["adaptive"], [0, 1], 40)
    assert (told["wave"], told["samples"], told["registry"]) == (10, 1, "snapshot")
    found = rows(told, "found")
    assert [(row["way"], row["seed"]) for row in found] == [
        ("uniform", 0), ("uniform", 1), ("adaptive", 0), ("adaptive", 1), ("uniform", "all"),
        ("adaptive", "all"),
    ]  # fmt: skip
    for row in found[:2]:
        assert 30 <= row["answers"] <= 40
        assert row["names ratio"] == 1
        assert 1 <= row["names"] <= 4, "the model knows four made-up names"
    assert set(found[-1]["prompts ratio"]) == {"mean", "least", "most"}
    assert {row["way"] for row in rows(told, "operators")} == {"adaptive"}
    assert (plots / "finding.svg").is_file()
    assert not (home / "ghostbust.db").exists(), "the user's home isn't touched"
    check_tables(
        bench("discovery", *asked), "way", "names", "prompts", "ratio", "operator", "written"
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("unlearners", "--method", "npos"), "--method: should be 'au-heard', 'au-repair'"),
        (("unlearners", "--method", "ga", "--lr", -1), "--lr: should be greater than 0"),
        (("unlearners", "--method", "base@hot"), "base@T at the temperature T, such as base@0.3"),
        (("unlearners", "--method", "trainer"), "set trainer.command"),
        (("unlearners", "--model", "no/such-model"), "can't load the model 'no/such-model'"),
        (("unlearners", "--prompts", "gone.jsonl"), "can't read the prompts in"),
        (("unlearners", "--holdout-share", 1.5), "--holdout-share"),
        (("unlearners", "--holdout-share", 0.000001), "none of the tasks is held out"),
        (("unlearners", "--holdout-share", 0.999999), "none of the tasks is for training"),
        (("continual", "--way", "pile"), "--way"),
        (("continual", "--rounds", 999), "999 rounds of 8 fresh tasks need 7992 for training"),
        (("continual", "--model", "no/such-model"), "can't load the model 'no/such-model'"),
        (("discovery", "--way", "guess"), "--way"),
        (("discovery", "--answers", 0), "--answers"),
        (("discovery", "--model", "no/such-model"), "can't load the model 'no/such-model'"),
    ],
)
def test_what_can_not_start_is_one_line(bench: Run, args: tuple[str, ...], said: str) -> None:
    assert said in one_line(bench(*args))
