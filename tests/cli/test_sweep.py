"""``ghostbust sweep`` on a small model: its figures, its options, and every way it can't start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import Result

from ghostbust.cli.output import Stages
from ghostbust.home import Home
from ghostbust.prompts import seed_tasks, side_of, split
from ghostbust.records import Side
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from tests.cli.reading import document, one_line
from tests.talking import make_talking_model

if TYPE_CHECKING:
    from tests.cli.conftest import Run

Sweep = Callable[..., Result]

FIGURES = {
    "rate", "ci95", "refs", "real", "absent", "suspect", "unknown", "local", "unmapped", "induced",
    "induced_real", "installers", "inventing", "answers", "volume", "all_names",
    "unknown_share",
}  # fmt: skip
KEYS = FIGURES | {
    "model", "adapter", "seed", "registry", "run", "by_context", "invented", "unseen", "wall_s",
}  # fmt: skip
SETTINGS = "[sampling]\nmax_new_tokens = 8\nsamples_per_prompt = 1\n\n[model]\ndevice = 'cpu'\n"


@pytest.fixture
def sweep(run: Run, talking_model_dir: Path, home: Path) -> Sweep:
    """Runs a sweep of the small model, five tasks unless told otherwise."""
    home.mkdir()
    (home / "ghostbust.toml").write_text(SETTINGS, "utf-8")

    def invoke(*args: object, limit: int | None = 5) -> Result:
        most = [] if limit is None else ["--limit", limit]
        model = ["--model", talking_model_dir]
        return run("sweep", *model, "--registry", "snapshot", *most, *args)

    return invoke


def test_the_document_has_the_rate_with_all_that_belongs_to_it(
    sweep: Sweep, talking_model_dir: Path
) -> None:
    told = document(sweep("--json", "--seed", 2))
    assert set(told) == KEYS
    assert (told["model"], told["adapter"]) == (str(talking_model_dir), None)
    assert (told["seed"], told["registry"], told["run"]) == (2, "snapshot", 1)
    assert told["refs"] == told["real"] + told["absent"] + told["suspect"] > 0
    assert told["rate"] == pytest.approx(told["absent"] / told["refs"])
    assert told["all_names"] * told["answers"] == pytest.approx(told["refs"] + told["unknown"])
    assert told["ci95"][0] <= told["rate"] <= told["ci95"][1]
    assert 2 * 5 < told["answers"] <= 3 * 5
    assert set(told["by_context"]) == {"code", "needs", "helps"}
    for figures in told["by_context"].values():
        assert set(figures) == FIGURES
    assert sum(f["answers"] for f in told["by_context"].values()) == told["answers"]
    unseen = told["unseen"]
    assert (unseen["families"], unseen["answers"]) == (5, told["answers"])
    assert unseen["inventions"] == told["absent"] + told["suspect"]
    assert unseen["names"] == len(told["invented"])
    for figure in ("chance", "left", "gain"):
        low, high = unseen[f"{figure}_ci95"]
        assert low <= unseen[figure] <= high
    last = sweep("--seed", 2).stdout.splitlines()[-1]
    assert last.startswith("at least about ")
    assert f"is new with probability {unseen['chance']:.2f} (" in last


def test_people_get_a_table_and_shortened_names(sweep: Sweep) -> None:
    result = sweep()
    assert result.exit_code == 0
    for word in ("rate", "95 % interval", "volume", "helps", "named most often", "zz-…"):
        assert word in result.stdout
    assert "zz-harbor-toolkit" not in result.stdout
    assert "zz-harbor-toolkit" in sweep("--reveal").stdout
    assert "ask 5 tasks in three contexts" in result.stderr
    assert sweep("--quiet").stderr == ""


def test_a_finished_sweep_shows_its_names_without_sampling_again(
    sweep: Sweep, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redacted = document(sweep("--json"))

    def sampled(*_: object) -> None:
        pytest.fail("it samples again")

    monkeypatch.setattr("ghostbust.samplers.local.LocalSampler.sample", sampled)
    shown = document(sweep("--json", "--reveal"))
    names = [one.pop("name") for one in shown["invented"]]
    assert names
    assert not any("…" in name for name in names)
    for one in redacted["invented"]:
        one.pop("name")
    assert {**shown, "wall_s": 0} == {**redacted, "wall_s": 0}
    with Store.open(home / "ghostbust.db", read_only=True) as store:
        assert [run.id for run in store.runs.recent()] == [shown["run"]]


def test_the_same_seed_gives_the_same_figures(sweep: Sweep) -> None:
    first, second, other = (document(sweep("--json", "--seed", n)) for n in (1, 1, 2))
    for told in (first, second, other):
        del told["wall_s"], told["run"]
    assert first == second
    assert first != other


def test_limit_and_samples_say_how_much_is_asked(sweep: Sweep, home: Path) -> None:
    told = document(sweep("--json", "--samples", 3, limit=2))
    assert told["answers"] in (12, 15, 18)
    with Store.open(home / "ghostbust.db") as store:
        families = {a.sample.prompt.family for a in store.answers.read()}
        assert store.runs.get(1).spec.kind is RunKind.SWEEP
    assert len(families) == 2
    assert families <= {task.id for task in seed_tasks()}


@pytest.mark.parametrize("side", ["train", "holdout"])
def test_one_side_of_the_split_alone(sweep: Sweep, home: Path, side: str) -> None:
    document(sweep("--json", "--side", side))
    with Store.open(home / "ghostbust.db") as store:
        sides = {side_of(a.sample.prompt.family, 0.25) for a in store.answers.read()}
    assert sides == {Side(side)}


def test_a_rate_over_the_limit_is_a_finding(sweep: Sweep) -> None:
    result = sweep("--fail-over", 0.001, "--json")
    assert document(result, 1)["rate"] > 0.001
    assert "is over 0.001" in result.stderr
    assert sweep("--fail-over", 1).exit_code == 0


def test_no_rate_is_not_under_the_limit(sweep: Sweep, tmp_path: Path) -> None:
    make_talking_model(tmp_path / "silent", [".", "-", "#"])  # not one name in any of them
    result = sweep("--model", tmp_path / "silent", "--fail-over", 0.5, "--json")
    assert document(result, 3)["rate"] is None
    assert "there is no rate" in result.stderr


def test_private_prompts_are_not_in_the_database_unless_asked(
    sweep: Sweep, tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "ph.jsonl"  # in the format of the package-hallucination benchmark
    rows = [
        {"id": f"ph-python-{n}", "language": "python", "task": f"Read ledger {n} of Quillfeather."}
        for n in range(4)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")

    def stored(*more: str) -> bytes:
        told = document(sweep("--json", "--prompts", file, *more, limit=None))
        assert 2 * 4 < told["answers"] <= 3 * 4
        return b"".join(path.read_bytes() for path in home.glob("ghostbust.db*"))

    kept = stored()
    assert b"zz-harbor-toolkit" in kept  # what was invented is logged all the same
    assert b"Quillfeather" not in kept
    assert b"pip install" not in kept  # nor are the answers
    assert b"Quillfeather" in stored("--keep-prompts")


def test_a_home_in_use_is_one_line(sweep: Sweep, home: Path) -> None:
    with Home.open(home).exclusive("round"):
        assert "is in use by process" in one_line(sweep(), 3)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("--model", "no/such-model"), 2, "can't load the model 'no/such-model'"),
        (("--adapter", "nobody"), 2, "there is no adapter 'nobody'"),
        (("--prompts", "gone.jsonl"), 2, "can't read the prompts in"),
        (("--prompts", "train.jsonl", "--side", "holdout"), 2, "is on the holdout side"),
        (("--config", "bad.toml"), 2, "sampling.temprature; did you mean temperature?"),
        (("--home", "train.jsonl"), 2, "home folder"),
        (("--endpoint", "http://127.0.0.1:9/v1"), 3, ""),
    ],
)
def test_what_can_not_start_is_one_line(
    sweep: Sweep, args: tuple[str, ...], code: int, said: str
) -> None:
    train, _ = split(seed_tasks(), 0.25)
    task = json.dumps({"id": train[0].id, "task": "Sort mail."})
    Path("train.jsonl").write_text(task, "utf-8")
    Path("bad.toml").write_text("[sampling]\ntemprature = 1\n", "utf-8")
    assert said in one_line(sweep(*args), code)


def test_a_broken_snapshot_is_one_line(sweep: Sweep, home: Path) -> None:
    (home / "registry").mkdir()
    (home / "registry" / "registry-pypi.json").write_text("{}", "utf-8")
    assert "registry-pypi.json" in one_line(sweep())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_cannot_be_written_is_one_line(sweep: Sweep, home: Path) -> None:
    home.chmod(0o500)
    try:
        one_line(sweep(), 2)
    finally:
        home.chmod(0o700)


def logged(database: Path) -> int:
    """How many answers the first run has."""
    if not database.exists():
        return 0
    with Store.open(database) as store:
        return len(store.answers.sampled_keys(1))


def test_after_a_kill_and_a_ctrl_c_the_same_command_goes_on(
    sweep: Sweep, home: Path, talking_model_dir: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    database = home / "ghostbust.db"
    command = [
        sys.executable, "-m", "ghostbust", "sweep", "--model", str(talking_model_dir), "--samples",
        "2", "--registry", "snapshot", "--json", "--quiet", "--limit", "80",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not logged(database):
            assert time.monotonic() < deadline, "nothing is logged"
            assert process.poll() is None, "it ended before it could be stopped"
            time.sleep(0.02)
        process.kill()
        assert process.communicate(timeout=30) == (b"", b"")
    killed_at = logged(database)

    def interrupted(_stages: Stages, done: int, _total: int) -> None:
        if done > killed_at:
            signal.raise_signal(signal.SIGINT)

    again = ("--samples", 2, "--json", "--quiet")
    with monkeypatch.context() as patched:
        patched.setattr(Stages, "advance", interrupted)
        stopped = sweep(*again, limit=80)
    assert (stopped.exit_code, stopped.stdout, stopped.stderr) == (130, "", (
        "ghostbust: interrupted; what was sampled is kept; the same command goes on from there\n"
    ))  # fmt: skip
    with Store.open(database) as store:
        assert store.runs.get(1).status is RunStatus.INTERRUPTED
        kept = store.answers.sampled_keys(1)
    assert len(kept) > killed_at
    told = document(sweep(*again, limit=80))
    assert told["run"] == 1
    with Store.open(database) as store:
        assert kept <= store.answers.sampled_keys(1)
        assert len(store.answers.sampled_keys(1)) == told["answers"]
        assert store.runs.get(1).status is RunStatus.DONE
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "ghostbust.toml").write_text(SETTINGS, "utf-8")
    unbroken = document(sweep("--home", whole, *again, limit=80))
    assert {**told, "wall_s": 0} == {**unbroken, "wall_s": 0}
