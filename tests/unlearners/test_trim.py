"""The trim: training on in the direction that is missing, and back to where the volume is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.engine import Trainer, TrainSettings, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired
from ghostbust.unlearners.trim import LOWER, RAISE, Look, trim

Weights = Sequence[torch.Tensor]
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
) -> tuple[tuple[Look, ...], list[float], list[float]]:
    """What trim saw, given these volumes, what it asked to learn, and where it went."""
    asked: list[float] = []
    shares: list[float] = []
    seen: Iterator[float] = iter(ratios)
    blend = trainer.blend

    def watched(first: Weights, last: Weights, share: float) -> None:
        shares.append(share)
        blend(first, last, share)

    def rest(weight: float) -> list[Example]:
        asked.append(weight)
        plain = [encode_answer(tiny, answer) for answer in answers]
        return plain + [encode_repaired(tiny, a, weight=weight) for a in answers if weight]

    trainer.blend = watched  # type: ignore[method-assign]
    looks = trim(trainer, rest, lambda: next(seen), repair=1.0)
    assert next(seen, None) is None, "every look was taken"
    return looks, asked, shares


@pytest.mark.parametrize(
    ("first", "weight"), [(2.0, LOWER), (1.2, LOWER), (1.05, 1.0), (0.95, 1.0), (0.8, RAISE)]
)
def test_the_last_stretch_goes_where_the_volume_is_missing(
    first: float, weight: float, tiny: LoadedModel, trainer: Trainer, answers: list[Answer]
) -> None:
    before = trainer.weights()
    looks, asked, shares = trimmed(tiny, trainer, answers, first, 1.0)
    assert looks == (Look(1, 0.0, first), Look(3 if weight else 2, 1.0, 1.0))
    assert (asked, shares) == ([weight], [1.0])
    assert not any(torch.equal(a, b) for a, b in zip(trainer.weights(), before, strict=True))


@pytest.mark.parametrize(
    ("ratios", "shares"),
    [
        ((2.0, 0.5, 1.05), [0.5]),
        ((2.0, 0.5, 0.95), [0.5]),
        ((0.5, 2.0, 1.0), [0.5]),
        ((4.0, 0.5, 1.0), [2 / 3]),
        ((0.0, 100.0, 1.0), [0.5]),
        ((2.0, 0.5, 0.5, 1.0), [0.5, 0.25]),
        ((2.0, 0.5, 2.0, 1.0), [0.5, 0.75]),
        ((0.5, 2.0, 2.0, 1.0), [0.5, 0.25]),
        ((2.0, 0.5, 0.5, 0.7), [0.5, 0.25]),  # not close, but closest
        ((2.0, 0.5, 0.8, 0.7), [0.5, 0.5 * 0.757, 0.5]),  # back to the one before
        ((0.3, 0.8, 1.0), [1.2273]),  # on behind the end
        ((4.0, 2.0**0.5, 0.5**0.5, 1.0), [4 / 3, 7 / 6]),  # too far
        ((2.0, 1.9, 1.5), [1.5]),  # no further than that
        ((0.5, 0.8, 0.4), [1.475, 1.0]),  # no better there
        ((1.0, 2.0), [0.0]),  # it was right before
        ((2.0, 2.5), [0.0]),  # the wrong way
        ((0.8, 0.3), [0.0]),
        ((1.0, 0.95), [1.0]),  # both are right: what was learnt stays
    ],
)
def test_the_weights_are_taken_where_the_volume_was_nearest(
    ratios: tuple[float, ...], shares: list[float],
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer],
) -> None:  # fmt: skip
    begin = trainer.weights()
    looks, _, went = trimmed(tiny, trainer, answers, *ratios)
    assert [look.ratio for look in looks] == list(ratios)
    assert [look.share for look in looks[:2]] == [0.0, 1.0]
    if len(shares) < len(ratios) - 1:
        shares = [*shares, shares[-1]]  # looked at, and taken
    assert went == pytest.approx(shares, abs=1e-3)
    assert [look.share for look in looks[2:]] == pytest.approx(went[:-1], abs=1e-3)
    if went[-1] == 0:
        assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), begin, strict=True))
