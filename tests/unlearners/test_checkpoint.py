"""An interrupted training goes on to the very weights of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.errors import HomeError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer
from ghostbust.unlearners.engine import (
    Checkpoint,
    Progress,
    Snapshot,
    Trainer,
    TrainResult,
    add_adapter,
    examples_id,
)
from ghostbust.unlearners.masks import Example, encode_answer
from ghostbust.unlearners.settings import TrainSettings

SETTINGS = TrainSettings(
    rank=4, learning_rate=0.02, warmup_steps=2, epochs=3, answers_per_step=2, micro_batch=2
)


class CutOffError(Exception):
    """What ends a training in these tests."""


@pytest.fixture
def examples(tiny: LoadedModel, make_answer: Callable[..., Answer]) -> list[Example]:
    texts = ["- numpy\n- ghost", "- rich\n- flask", "pip install ghost numpy\n", "- squat"]
    return [encode_answer(tiny, make_answer(text)) for text in texts]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "home" / "training.pt", "key", every=2)


def trained(
    folder: Path, examples: list[Example], checkpoint: Checkpoint | None, cut_at: int = 99
) -> tuple[TrainResult, list[torch.Tensor], list[int]]:
    """Two stretches of 6 and 3 steps with a blend between; which steps were made, and weights."""
    loaded = load_model(str(folder), folder, device="cpu")
    made: list[int] = []

    def on_step(number: int, _of: int, _loss: float) -> None:
        made.append(number)
        if number == cut_at:
            raise CutOffError

    trainer = Trainer(add_adapter(loaded, SETTINGS), SETTINGS, on_step, checkpoint)
    begin = trainer.weights()
    trainer.run(examples, to_come=3)
    trainer.blend(begin, trainer.weights(), 0.75)
    trainer.run(examples[:2])
    return trainer.result(), trainer.weights(), made


@pytest.mark.parametrize(
    ("cut_at", "goes_on_at"), [(1, 1), (2, 1), (3, 3), (6, 5), (7, 7), (8, 7), (9, 9)]
)
def test_the_same_weights_as_without_interruption(
    cut_at: int,
    goes_on_at: int,
    tiny_model_dir: Path,
    examples: list[Example],
    checkpoint: Checkpoint,
) -> None:
    whole, expected, _ = trained(tiny_model_dir, examples, None)
    with pytest.raises(CutOffError):
        trained(tiny_model_dir, examples, checkpoint, cut_at)
    result, weights, made = trained(tiny_model_dir, examples, checkpoint)
    assert made == list(range(goes_on_at, 10))
    assert (result.losses, result.steps) == (whole.losses, 9)
    assert result.moved == whole.moved
    assert all(torch.equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_a_training_that_was_finished_only_restores(
    tiny_model_dir: Path, examples: list[Example], checkpoint: Checkpoint
) -> None:
    _, expected, _ = trained(tiny_model_dir, examples, checkpoint)
    _, weights, made = trained(tiny_model_dir, examples, checkpoint)
    assert made == []
    assert all(torch.equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_another_training_does_not_go_on_from_it(
    tiny_model_dir: Path, examples: list[Example], checkpoint: Checkpoint
) -> None:
    trained(tiny_model_dir, examples, checkpoint)
    assert checkpoint.load().ends
    assert replace(checkpoint, key="other").load() == Progress()


def test_a_stretch_of_other_examples_begins_anew(
    tiny_model_dir: Path, examples: list[Example], checkpoint: Checkpoint
) -> None:
    with pytest.raises(CutOffError):
        trained(tiny_model_dir, examples, checkpoint, 5)
    _, _, made = trained(tiny_model_dir, examples[::-1], checkpoint)
    assert made == list(range(1, 10))
    assert examples_id(examples) != examples_id(examples[::-1])


def test_what_is_saved_is_read(checkpoint: Checkpoint) -> None:
    snapshot = Snapshot((0.5, 0.25), [torch.ones(2)], {"state": {}, "param_groups": []})
    assert checkpoint.load() == Progress()
    checkpoint.save(Progress((snapshot,), "abc", snapshot))
    read = checkpoint.load()
    assert (read.examples, read.ends[0].losses) == ("abc", (0.5, 0.25))
    assert read.now is not None
    assert torch.equal(read.now.weights[0], torch.ones(2))
    assert [path.name for path in checkpoint.path.parent.iterdir()] == ["training.pt"]
    checkpoint.clear()
    checkpoint.clear()
    assert checkpoint.load() == Progress()


def test_a_failed_save_leaves_the_one_before(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(Progress(examples="first"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(HomeError, match=r"can't save the training.*No space left"):
        checkpoint.save(Progress(examples="second"))
    assert checkpoint.load().examples == "first"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_damaged_file_is_an_error(checkpoint: Checkpoint, content: bytes) -> None:
    checkpoint.path.parent.mkdir()
    checkpoint.path.write_bytes(content)
    with pytest.raises(HomeError, match="can't be read"):
        checkpoint.load()
