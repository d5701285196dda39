"""The trim: training on in the direction that is missing, and back to where the volume is right."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.engine import Trainer, TrainSettings, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired
from ghostbust.unlearners.trim import LOWER, RAISE, Look, trim

SETTINGS = TrainSettings(rank=4, learning_rate=0.02, warmup_steps=1, answers_per_step=4)


@pytest.fixture
def answers(make_answer: Callable[..., Answer]) -> list[Answer]:
    return [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(4)]


@pytest.fixture
def trainer(tiny: LoadedModel, answers: list[Answer]) -> Trainer:
    """One that has made a step."""
    trainer = Trainer(add_adapter(tiny, SETTINGS), SETTINGS)
    trainer.run([encode_answer(tiny, answer) for answer in answers])
    return trainer


def trimmed(
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer], *ratios: float
) -> tuple[tuple[Look, ...], list[float]]:
    """What trim saw, given these volumes, and the weights it asked for."""
    asked: list[float] = []
    seen: Iterator[float] = iter(ratios)

    def rest(weight: float) -> list[Example]:
        asked.append(weight)
        plain = [encode_answer(tiny, answer) for answer in answers]
        return plain + [
            replace(encode_repaired(tiny, answer), weight=weight) for answer in answers if weight
        ]

    looks = trim(trainer, rest, lambda: next(seen))
    assert next(seen, None) is None, "every look was taken"
    return looks, asked


def test_a_volume_that_is_the_bases_is_left(
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer]
) -> None:
    before = trainer.weights()
    assert trimmed(tiny, trainer, answers, 1.03) == ((Look(1, 1.03),), [])
    assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), before, strict=True))


@pytest.mark.parametrize(
    ("first", "second", "weight", "share"),
    [
        (1.5, 0.5, LOWER, math.log(1.5) / math.log(3)),
        (0.5, 2.0, RAISE, 0.5),
        (2.0, 1.5, LOWER, 1.0),  # not far enough: all of it
        (2.0, 2.5, LOWER, 1.0),  # the other way
        (2.0, 2.0, LOWER, 1.0),
        (0.5, 1.0, RAISE, 1.0),
        (0.0, 1.0, RAISE, 1.0),
        (1.2, 0.0, LOWER, math.log(1.2) / math.log(120)),
    ],
)
def test_the_weights_are_taken_where_the_volume_is_right(
    first: float, second: float, weight: float, share: float,
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer],
) -> None:  # fmt: skip
    places: list[tuple[list[torch.Tensor], float]] = []
    move_back = trainer.move_back
    trainer.move_back = lambda *place: places.append(place)  # type: ignore[method-assign]
    before = trainer.weights()
    looks, asked = trimmed(tiny, trainer, answers, first, second)
    assert looks == (Look(1, first), Look(2 if weight == RAISE else 3, second))
    assert asked == [weight]
    ((earlier, found),) = places
    assert found == pytest.approx(share)
    assert all(torch.equal(a, b) for a, b in zip(earlier, before, strict=True))
    move_back(earlier, found)
    changed = [not torch.equal(a, b) for a, b in zip(trainer.weights(), before, strict=True)]
    assert all(changed)
