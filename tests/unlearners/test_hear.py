"""Training in stretches, each of which knows what was seen before it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.engine import Trainer, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import Goal, Look, Probed, Stretch, hear

GOAL = Goal(0.8, 1.25, 0.5)
SETTINGS = TrainSettings(rank=4, learning_rate=0.02, warmup_steps=1, answers_per_step=4)


@pytest.fixture
def examples(tiny: LoadedModel, make_answer: Callable[..., Answer]) -> list[Example]:
    """Those of one step."""
    answers = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(4)]
    return [encode_answer(tiny, answer) for answer in answers]


@pytest.fixture
def trainer(tiny: LoadedModel) -> Trainer:
    return Trainer(add_adapter(tiny, SETTINGS), SETTINGS)


def heard(
    trainer: Trainer, examples: list[Example], seen: list[Probed]
) -> tuple[tuple[Look, ...], list[Probed | None]]:
    """The looks of three stretches that see so much, and what each stretch knew."""
    told: list[Probed | None] = []
    looks = iter(seen)

    def learn(before: Probed | None) -> list[Example]:
        told.append(before)
        return examples

    return hear(trainer, [Stretch(learn, 1)] * 3, lambda: next(looks), GOAL), told


def test_each_stretch_knows_what_was_seen_before_it(
    trainer: Trainer, examples: list[Example]
) -> None:
    seen = [Probed(2.0, 0.9), Probed(1.5, 0.5), Probed(1.0, 0.2)]
    looks, told = heard(trainer, examples, seen)
    assert told == [None, *seen[:2]]
    assert [(look.steps, look.share) for look in looks] == [(1, -1.0), (2, 0.0), (3, 1.0)]
    assert [Probed(look.volume, look.rate) for look in looks] == seen


def test_the_weights_are_taken_from_the_line_of_the_last_stretch(
    trainer: Trainer, examples: list[Example]
) -> None:
    ends: list[list[torch.Tensor]] = []
    run = trainer.run

    def ran(learnt: list[Example], *, to_come: int = 0) -> None:
        run(learnt, to_come=to_come)
        ends.append(trainer.weights())

    trainer.run = ran  # type: ignore[method-assign,assignment]
    # the first stretch's end would be the best of all, and isn't on the line
    seen = [Probed(1.0, 0.1), Probed(1.0, 0.3), Probed(0.3, 0.2), Probed(1.0, 0.3)]
    looks, _ = heard(trainer, examples, seen)
    assert [look.share for look in looks[:3]] == [-1.0, 0.0, 1.0]
    assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), ends[1], strict=True))


def test_the_learning_rate_falls_over_all_stretches(
    trainer: Trainer, examples: list[Example]
) -> None:
    rates: list[float] = []
    step = trainer._optimizer.step

    def stepped() -> None:
        rates.append(trainer._optimizer.param_groups[0]["lr"] / SETTINGS.learning_rate)
        step()

    trainer._optimizer.step = stepped  # type: ignore[method-assign,assignment]
    heard(trainer, examples, [Probed(1.0, 0.1)] * 4)
    assert rates == pytest.approx([1, 2 / 3, 1 / 3])
