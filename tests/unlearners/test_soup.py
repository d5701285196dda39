"""Several trainings from one start, and the mean of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer
from ghostbust.unlearners.checkpoint import Checkpoint
from ghostbust.unlearners.engine import Trainer, TrainSettings, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer
from ghostbust.unlearners.soup import SHARES, member_seeds, soup
from ghostbust.unlearners.trim import Goal, Look, Probed

SEEDS = member_seeds(0, 2)
GOAL = Goal(0.8, 1.25, 0.5)
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


def stirred(
    trainer: Trainer, examples: list[Example], members: int, seen: list[Probed] | None = None
) -> tuple[Look, ...]:
    """The looks of a soup whose members aren't looked at."""
    left = iter(seen or ())

    def train(_: int) -> tuple[Look, ...]:
        trainer.run(examples)
        return ()

    return soup(
        trainer, train, member_seeds(0, members), None if seen is None else lambda: next(left), GOAL
    )


def alone(folder: Path, examples: list[Example], seed: int) -> tuple[Weights, Weights, list[float]]:
    """The start, the end and the losses of one training."""
    trainer = a_trainer(folder, seed)
    start = trainer.weights()
    trainer.run(examples)
    return start, trainer.weights(), list(trainer.result().losses)


def same(a: Weights, b: Weights) -> None:
    for one, other in zip(a, b, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_the_mean_of_trainings_with_seeds_of_their_own(
    tiny_model_dir: Path, examples: list[Example]
) -> None:
    start, first, losses = alone(tiny_model_dir, examples, 0)
    _, second, others = alone(tiny_model_dir, examples, SEEDS[1])
    assert any(not torch.equal(a, b) for a, b in zip(first, second, strict=True))
    trainer = a_trainer(tiny_model_dir)
    same(trainer.weights(), start)
    assert stirred(trainer, examples, 2) == ()
    same(trainer.weights(), [(a + b) / 2 for a, b in zip(first, second, strict=True)])
    # each begins with the whole learning rate, so they come to what they would come to alone
    assert trainer.result().losses == pytest.approx([*losses, *others], abs=1e-6)


def test_one_training_is_left_as_it_ends(tiny_model_dir: Path, examples: list[Example]) -> None:
    _, end, _ = alone(tiny_model_dir, examples, 0)
    trainer = a_trainer(tiny_model_dir)
    assert stirred(trainer, examples, 1, []) == ()  # it would fail if it asked
    same(trainer.weights(), end)


@pytest.mark.parametrize(
    ("seen", "taken"),
    [
        ([Probed(1.0, 0.3), Probed(1.0, 0.2), Probed(0.95, 0.1)], 2),
        ([Probed(1.0, 0.3), Probed(0.95, 0.2), Probed(0.8, 0.1)], 1),
        ([Probed(0.9, 0.2), Probed(0.7, 0.15), Probed(0.5, 0.0)], 0),
        # the first is the best look by itself, and the line has it above the others
        ([Probed(1.07, 0.16), Probed(1.16, 0.26), Probed(0.88, 0.19)], 1),
    ],
)
def test_the_place_is_taken_where_rate_and_volume_are_best(
    tiny_model_dir: Path, examples: list[Example], seen: list[Probed], taken: int
) -> None:
    start, first, _ = alone(tiny_model_dir, examples, 0)
    _, second, _ = alone(tiny_model_dir, examples, SEEDS[1])
    trainer = a_trainer(tiny_model_dir)
    looks = stirred(trainer, examples, 2, seen)
    assert looks == tuple(
        Look(6, share, one.volume, one.rate) for share, one in zip(SHARES, seen, strict=True)
    )
    places = [
        a + SHARES[taken] * ((b + c) / 2 - a) for a, b, c in zip(start, first, second, strict=True)
    ]
    same(trainer.weights(), places)


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
