"""A program in ghostbust's place: what it gets, and what of its work is taken."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.config import Config, override
from ghostbust.errors import GhostbustError, ModelError, PublishError, TrainingError
from ghostbust.home import Home
from ghostbust.loop.build import training_settings
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.loop.trainer import train_by_command
from ghostbust.records import Candidate, SetSplit, Verdict
from ghostbust.unlearners.train import find_trained
from tests.loop.rounds import naming

# Copies an adapter that is there, as somebody's trainer would leave one, and what it was given.
TRAINER = """
import json, os, pathlib, shutil, sys
ready, log, sets, adapter = sys.argv[1:5]
told = {key: value for key, value in os.environ.items() if key.startswith("GHOSTBUST_TRAINER_")}
told["rows"] = {
    path.name: path.read_text("utf-8") for path in sorted(pathlib.Path(sets).iterdir())
}
pathlib.Path(log).write_text(json.dumps(told), "utf-8")
for path in pathlib.Path(ready).iterdir():
    if path.name != "ghostbust.json":
        shutil.copy(path, adapter)
metrics = {"steps": 7, "losses": [2.0, 1.5], "train_s": 3.5}
pathlib.Path(os.environ["GHOSTBUST_TRAINER_METRICS"]).write_text(json.dumps(metrics), "utf-8")
print("trained", file=sys.stderr)
"""


SETS = SetSplit(
    (naming("zz-ghost", Verdict.ABSENT, 1),), (naming("requests", Verdict.REAL, 2),), ()
)


@pytest.fixture
def ready(make_lora: Callable[..., Path], talking_model_dir: Path, tmp_path: Path) -> Path:
    """What the program leaves."""
    return make_lora(tmp_path / "ready", talking_model_dir, size=0.1, rank=4)


@pytest.fixture
def session(home: Home, talking_model_dir: Path, ready: Path, tmp_path: Path) -> Iterator[Session]:
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER, "utf-8")
    command = (
        sys.executable,
        str(script),
        str(ready),
        str(tmp_path / "log"),
        "{sets}",
        "{adapter}",
    )
    config = override(
        Config(),
        model__name=str(talking_model_dir),
        registry__mode="snapshot",
        training__rank=4,
        trainer__command=command,
    )
    with open_session(home, config, purpose="test") as session:
        yield session


def train(session: Session) -> Candidate:
    settings = training_settings(session.config, 9)
    return train_by_command(session, SETS, settings, 3, Silence())


def test_what_it_leaves_becomes_an_adapter_like_any_other(
    session: Session, ready: Path, tmp_path: Path
) -> None:
    made = train(session)
    assert made.path.parent == session.home.adapters
    assert made.name.startswith("round-0003-")
    assert (made.steps, made.final_loss, made.train_s, made.seed) == (7, 1.5, 3.5, 9)
    manifest = read_adapter(made.path)
    assert set(manifest.files) == {
        "adapter_config.json", "adapter_model.safetensors", "forgotten.json",
    }  # fmt: skip
    assert manifest.facts["trainer"] == list(session.config.trainer.command)
    weights = "adapter_model.safetensors"
    assert (made.path / weights).read_bytes() == (ready / weights).read_bytes()
    forgotten = read_forgotten(made.path)
    assert forgotten is not None
    assert len(forgotten) == 1
    assert not session.home.trainer.exists(), "nothing of the sets is left lying"
    assert find_trained(session.home.adapters, 3, SETS) == made


def test_it_is_given_the_sets_and_all_it_has_to_know(session: Session, tmp_path: Path) -> None:
    train(session)
    told = json.loads((tmp_path / "log").read_text("utf-8"))
    assert told["GHOSTBUST_TRAINER_MODEL"] == session.config.model.name
    assert (told["GHOSTBUST_TRAINER_RANK"], told["GHOSTBUST_TRAINER_SEED"]) == ("4", "9")
    assert told["GHOSTBUST_TRAINER_START"] == ""
    assert told["GHOSTBUST_TRAINER_SETS"] == str(session.home.trainer / "sets")
    assert sorted(told["rows"]) == ["forget.jsonl", "retain.jsonl", "training.json"]
    (row,) = [json.loads(line) for line in told["rows"]["forget.jsonl"].splitlines()]
    assert row == {
        "prompt": "do 1", "turns": [], "answer": "pip install zz-ghost", "context": "code",
        "ecosystem": "pypi", "family": "family-1",
        "packages": [{"name": "zz-ghost", "verdict": "ABSENT", "start": 12, "end": 20}],
    }  # fmt: skip
    settings = json.loads(told["rows"]["training.json"])
    assert (settings["settings"]["rank"], settings["settings"]["seed"]) == (4, 9)


def edit_config(ready: Path, **changes: object) -> None:
    file = ready / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


def pickled(ready: Path) -> None:
    (ready / "adapter_model.bin").write_bytes(b"\x80\x04N.")


def dora(ready: Path) -> None:
    edit_config(ready, use_dora=True)


def missing(ready: Path) -> None:
    (ready / "adapter_model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (pickled, "'adapter_model.bin': only safetensors are taken"),
        (dora, "it is a DoRA"),
        (missing, "no LoRA adapter that can be read"),
    ],
)
def test_what_cannot_be_served_is_refused_and_leaves_no_folder(
    session: Session, ready: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(ready)
    with pytest.raises(ModelError, match=said):
        train(session)
    assert list(session.home.adapters.iterdir()) == []


def test_a_higher_rank_than_asked_for_is_refused(session: Session) -> None:
    low = replace(session, config=override(session.config, training__rank=2))
    with pytest.raises(ModelError, match="its rank 4 is over 2"):
        train(low)


def test_a_server_that_would_not_take_it_is_told_before_the_gates(session: Session) -> None:
    server = override(session.config, publish__kind="directory", publish__replicas=("/nowhere",))
    with pytest.raises(PublishError, match="/nowhere isn't a folder"):
        train(replace(session, config=server))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no GPU is free')", "ended with exit code 1: no GPU is free"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("import time; time.sleep(60)", "took longer than 0.1 s"),
        ("", "no LoRA adapter that can be read"),
    ],
)
def test_a_program_that_fails_says_why(session: Session, program: str, said: str) -> None:
    config = override(
        session.config,
        trainer__command=(sys.executable, "-c", program),
        trainer__timeout_s=0.1 if "sleep" in program else None,
    )
    with pytest.raises((TrainingError, ModelError), match=said):
        train(replace(session, config=config))


@pytest.mark.parametrize("metrics", ["", "{}", '{"steps": 1, "losses": [], "train_s": 1}'])
def test_metrics_have_to_be_there(session: Session, ready: Path, metrics: str) -> None:
    program = TRAINER.replace("json.dumps(metrics)", repr(metrics))
    argv = ("x", str(ready), str(ready.parent / "log"), "{sets}", "{adapter}")
    config = override(session.config, trainer__command=(sys.executable, "-c", program, *argv[1:]))
    with pytest.raises(GhostbustError, match=r"metrics\.json"):
        train(replace(session, config=config))
