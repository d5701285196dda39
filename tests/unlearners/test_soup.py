"""Several trainings from one start, and the mean of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer
from ghostbust.unlearners.engine import Checkpoint, Trainer, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import Look, farther, member_seeds, soup

SEEDS = member_seeds(0, 2)
SETTINGS = TrainSettings(rank=4, learning_rate=0.02, warmup_steps=1, answers_per_step=2)
Weights = list[torch.Tensor]


class CutOffError(Exception):
    """What ends a training in these tests."""


@pytest.fixture
def examples(tiny: LoadedModel, make_answer: Callable[..., Answer]) -> list[Example]:
    """Those of three steps."""
    answers = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(6)]
    return [encode_answer(tiny, answer) for answer in answers]


def a_trainer(
    folder: Path, seed: int = 0, checkpoint: Checkpoint | None = None, cut_at: int = 99
) -> Trainer:
    """Fresh weights that are the same whatever the seed; it fails at a step."""

    def on_step(number: int, _of: int, _loss: float) -> None:
        if number == cut_at:
            raise CutOffError

    loaded = load_model(str(folder), folder, device="cpu")
    adapted = add_adapter(loaded, SETTINGS)
    return Trainer(adapted, replace(SETTINGS, seed=seed), on_step, checkpoint)


def stirred(trainer: Trainer, examples: list[Example], members: int) -> tuple[Look, ...]:
    """A soup whose members say which seed each of them had."""

    def train(seed: int) -> tuple[Look, ...]:
        trainer.run(examples)
        return (Look(trainer.steps, seed, 1.0, 0.2),)

    return soup(trainer, train, member_seeds(0, members))


def alone(folder: Path, examples: list[Example], seed: int) -> tuple[Weights, Weights, list[float]]:
    """The start, the end and the losses of one training."""
    trainer = a_trainer(folder, seed)
    start = trainer.weights()
    trainer.run(examples)
    return start, trainer.weights(), list(trainer.result().losses)


def same(a: Weights, b: Weights) -> None:
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_the_mean_of_trainings_as_far_from_the_start_as_they_are(
    tiny_model_dir: Path, examples: list[Example]
) -> None:
    start, first, losses = alone(tiny_model_dir, examples, 0)
    _, second, others = alone(tiny_model_dir, examples, SEEDS[1])
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    trainer = a_trainer(tiny_model_dir)
    same(trainer.weights(), start)
    looks = stirred(trainer, examples, 2)
    assert [(look.steps, look.share) for look in looks] == [(3, 0), (6, SEEDS[1])]
    mean = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    share = farther(start, [first, second], mean)
    assert share > 1
    names = [name for name, p in trainer._model.named_parameters() if p.requires_grad]
    places = [
        m if "lora_A" in name else a + share * (m - a)
        for name, a, m in zip(names, start, mean, strict=True)
    ]
    same(trainer.weights(), places)
    # each begins with the whole learning rate, so they come to what they would come to alone
    assert trainer.result().losses == pytest.approx([*losses, *others], abs=1e-6)


def test_beyond_the_mean_the_change_of_the_model_goes_on_in_the_same_direction(
    tiny_model_dir: Path, examples: list[Example]
) -> None:
    trainer = a_trainer(tiny_model_dir)
    start = trainer.weights()
    trainer.run(examples)
    end = trainer.weights()

    def change() -> list[torch.Tensor]:
        """B·A of each layer."""
        pairs = dict(trainer._model.named_parameters())
        return [
            pairs[name.replace("lora_A", "lora_B")].detach() @ a.detach()
            for name, a in pairs.items()
            if "lora_A" in name
        ]

    before = change()
    trainer.go_beyond(start, end, 1.5)
    same(change(), [1.5 * one for one in before])


def test_members_are_farther_by_what_they_have_not_in_common() -> None:
    zero, east, north = [torch.zeros(2)], [torch.tensor([3.0, 0.0])], [torch.tensor([0.0, 3.0])]
    halfway = [torch.tensor([1.5, 1.5])]
    assert farther(zero, [east, east], east) == 1
    assert farther(zero, [east, north], halfway) == pytest.approx(2**0.5)
    west = [torch.tensor([-2.9, 0.0])]
    assert farther(zero, [east, west], [torch.tensor([0.05, 0.0])]) == 2**0.5
    assert farther(zero, [zero, zero], zero) == 1


def test_one_training_is_left_as_it_ends(tiny_model_dir: Path, examples: list[Example]) -> None:
    _, end, _ = alone(tiny_model_dir, examples, 0)
    trainer = a_trainer(tiny_model_dir)
    stirred(trainer, examples, 1)
    same(trainer.weights(), end)


@pytest.mark.parametrize("cut_at", [2, 3, 4, 5])
def test_the_same_mean_behind_an_interruption(
    tiny_model_dir: Path, tmp_path: Path, examples: list[Example], cut_at: int
) -> None:
    whole = a_trainer(tiny_model_dir)
    stirred(whole, examples, 2)
    checkpoint = Checkpoint(tmp_path / "training.pt", "key", every=1)
    with pytest.raises(CutOffError):
        stirred(a_trainer(tiny_model_dir, 0, checkpoint, cut_at), examples, 2)
    trainer = a_trainer(tiny_model_dir, 0, checkpoint)
    stirred(trainer, examples, 2)
    same(trainer.weights(), whole.weights())
    assert trainer.result().losses == whole.result().losses
