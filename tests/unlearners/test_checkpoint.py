"""An interrupted training goes on to the very weights of an uninterrupted one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.errors import HomeError
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.checkpoint import Checkpoint, Progress, clear_checkpoint, examples_id
from ghostbust.unlearners.engine import Trainer, TrainResult
from ghostbust.unlearners.masks import Example, encode_answer
from ghostbust.unlearners.settings import TrainSettings, Weights

Load = Callable[[], LoadedModel]
SETTINGS = TrainSettings(
    rank=4, alpha=8, learning_rate=0.02, warmup_steps=2, epochs=3, answers_per_step=2,
    micro_batch=2, weights=Weights(),
)  # fmt: skip


@pytest.fixture(scope="module")
def examples(load_tiny: Load, make_answer: Callable[..., Answer]) -> list[Example]:
    tiny = load_tiny()
    texts = ["- numpy\n- ghost", "- rich\n- flask", "pip install ghost numpy\n", "- squat"]
    return [encode_answer(tiny, make_answer(text)) for text in texts]


class CutOffError(Exception):
    """Ends a training in these tests."""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "home" / "training.pt", "key", every=2)


Stages = tuple[TrainResult, list[torch.Tensor], list[int]]


def stages(
    loaded: LoadedModel, examples: list[Example], checkpoint: Checkpoint | None, cut_at: int = 99
) -> Stages:
    """Two stages of 6 and 3 steps with a blend between; result, weights, which steps were made."""
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


@pytest.fixture(scope="module")
def uninterrupted(load_tiny: Load, examples: list[Example]) -> Stages:
    return stages(load_tiny(), examples, None)


@pytest.mark.parametrize(("cut_at", "goes_on_at"), [(1, 1), (3, 3), (6, 5), (7, 7), (9, 9)])
def test_the_same_weights_after_an_interruption(
    cut_at: int,
    goes_on_at: int,
    load_tiny: Load,
    examples: list[Example],
    uninterrupted: Stages,
    checkpoint: Checkpoint,
) -> None:
    whole, expected, _ = uninterrupted
    with pytest.raises(CutOffError):
        stages(load_tiny(), examples, checkpoint, cut_at)
    for steps in (list(range(goes_on_at, 10)), []):  # the second time, all of it was made
        result, weights, made = stages(load_tiny(), examples, checkpoint)
        assert made == steps
        assert (result.losses, result.steps, result.moved) == (whole.losses, 9, whole.moved)
        assert all(torch.equal(a, b) for a, b in zip(weights, expected, strict=True))


def test_another_training_does_not_go_on_from_it(
    load_tiny: Load, examples: list[Example], checkpoint: Checkpoint
) -> None:
    with pytest.raises(CutOffError):
        stages(load_tiny(), examples, checkpoint, 5)
    assert checkpoint.load().now is not None
    assert replace(checkpoint, key="other").load() == Progress()
    backwards = examples[::-1]
    _, _, made = stages(load_tiny(), backwards, checkpoint)
    assert made == list(range(1, 10)), "a stage of other examples begins anew"
    assert examples_id(examples) != examples_id(backwards)


def test_a_failed_save_leaves_the_one_before(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkpoint.load() == Progress()
    checkpoint.save(Progress(examples="first"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(HomeError, match=r"can't save the training.*No space left"):
        checkpoint.save(Progress(examples="second"))
    assert checkpoint.load().examples == "first"
    clear_checkpoint(checkpoint.path)
    assert list(checkpoint.path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
def test_a_damaged_file_is_an_error(checkpoint: Checkpoint, content: bytes) -> None:
    checkpoint.path.parent.mkdir()
    checkpoint.path.write_bytes(content)
    with pytest.raises(HomeError, match="can't be read"):
        checkpoint.load()
