"""The trim: training on in the direction that is missing, and back to where the volume is right."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.engine import Trainer, add_adapter
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired
from ghostbust.unlearners.methods.interface import MOST_LOOKS
from ghostbust.unlearners.settings import TrainSettings
from ghostbust.unlearners.steer import FURTHEST, LOWER, Goal, Look, Probed, trim

Weights = Sequence[torch.Tensor]
GOAL = Goal(0.8, 1.25, 0.5)
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
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer], seen: Callable[[float], Probed]
) -> tuple[tuple[Look, ...], list[float | None], float]:
    """What trim saw, given what is seen at each share, what it asked to learn, where it went."""
    asked: list[float | None] = []
    shares: list[float] = [0.0]
    blend, run = trainer.blend, trainer.run

    def blended(first: Weights, last: Weights, share: float) -> None:
        shares.append(share)
        blend(first, last, share)

    def ran(examples: Sequence[Example]) -> None:
        shares.append(1.0)
        run(examples)

    def rest(weight: float | None) -> list[Example]:
        asked.append(weight)
        plain = [encode_answer(tiny, answer) for answer in answers]
        if weight is None:
            return plain
        return plain + [encode_repaired(tiny, a, weight=weight) for a in answers]

    trainer.blend = blended  # type: ignore[method-assign]
    trainer.run = ran  # type: ignore[method-assign,assignment]
    looks = trim(trainer, rest, lambda: seen(shares[-1]), repair=1.0, goal=GOAL)
    return looks, asked, shares[-1]


def straight(*places: tuple[float, float, float]) -> Callable[[float], Probed]:
    """Volume and rate by share: straight from one (share, volume, rate) to the next."""

    def seen(share: float) -> Probed:
        for (a, volume, rate), (b, volume_b, rate_b) in itertools.pairwise(places):
            if share <= b:
                part = (share - a) / (b - a)
                return Probed(volume * (volume_b / volume) ** part, rate + part * (rate_b - rate))
        return Probed(*places[-1][1:])

    return seen


@pytest.mark.parametrize(
    ("first", "weight"), [(2.0, LOWER), (1.2, LOWER), (1.05, 1.0), (0.95, 1.0), (0.8, None)]
)
def test_the_last_stretch_goes_where_the_volume_is_missing(
    first: float, weight: float | None, tiny: LoadedModel, trainer: Trainer, answers: list[Answer]
) -> None:
    before = trainer.weights()
    seen = straight((0, first, 0.9), (1, 1.0, 0.2))
    looks, asked, share = trimmed(tiny, trainer, answers, seen)
    assert [(look.steps, look.share) for look in looks] == [(1, 0.0), (3 if weight else 2, 1.0)]
    assert [look.volume for look in looks] == [first, pytest.approx(1.0)]
    assert [look.rate for look in looks] == [0.9, pytest.approx(0.2)]
    assert (asked, share) == ([weight], 1.0)
    assert not any(torch.equal(a, b) for a, b in zip(trainer.weights(), before, strict=True))


@pytest.mark.parametrize(
    "places",
    [
        [(0, 2.0, 0.9), (1, 0.5, 0.2)],
        [(0, 0.5, 0.3), (1, 2.0, 0.1)],
        [(0, 1.0, 0.9), (1, 1.0, 0.1)],
        [(0, 1.0, 0.1), (1, 1.0, 0.9)],
        [(0, 1.03, 0.9), (1, 0.79, 0.2)],
        [(0, 2.0, 0.6), (0.6, 1.5, 0.4), (1, 0.5, 0.2)],
        [(0, 4.0, 0.8), (1, 1.5, 0.3), (1.5, 0.95, 0.1)],
    ],
)
def test_the_weights_are_taken_where_the_chances_are_best(
    places: list[tuple[float, float, float]],
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer],
) -> None:  # fmt: skip
    begin, seen = trainer.weights(), straight(*places)
    found, _, went = trimmed(tiny, trainer, answers, seen)
    assert [look.share for look in found[:2]] == [0.0, 1.0]
    assert 2 <= len(found) <= MOST_LOOKS
    (stayed,) = (look for look in found if look.share == went)
    possible = [seen(part / 100 * places[-1][0]) for part in range(101)]
    best = max(GOAL.chance(one.volume, one.rate) for one in possible)
    chances = [GOAL.chance(look.volume, look.rate) for look in found]
    assert GOAL.chance(stayed.volume, stayed.rate) == max(chances) > best - 0.1
    if went == 0:
        assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), begin, strict=True))


def test_the_chance_is_of_both_limits_at_once() -> None:
    assert GOAL.chance(1.0, 0.1) == pytest.approx(0.863, abs=0.001)
    assert GOAL.chance(1.25, 0.1) == pytest.approx(0.5, abs=0.01)
    assert GOAL.chance(1.0, 0.5) == pytest.approx(0.863 / 2, abs=0.001)
    assert GOAL.chance(0.0, 0.0) == 0
    assert GOAL.chance(1.03, 0.9) < GOAL.chance(0.79, 0.2)


def test_a_narrower_goal_is_reached_less_often() -> None:
    narrow = Goal(0.9, 1.1, 0.15)
    assert narrow.chance(1.0, 0.0) < GOAL.chance(1.0, 0.0)
    assert narrow.chance(0.85, 0.0) < narrow.chance(0.95, 0.0)
    assert narrow.chance(1.0, 0.15) == pytest.approx(narrow.chance(1.0, -1.0) / 2)


@pytest.mark.parametrize(
    ("first", "last", "furthest"),
    [(4.0, 1.6, FURTHEST), (0.3, 0.5, FURTHEST), (4.0, 3.0, 1.0), (1.3, 1.4, 1.0)],
)
def test_the_line_is_drawn_on_only_where_it_leads_to_the_bases_volume(
    first: float, last: float, furthest: float,
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer],
) -> None:  # fmt: skip
    seen = straight((0, first, 0.3), (1, last, 0.2), (2, last * last / first, 0.1))
    found, _, _ = trimmed(tiny, trainer, answers, seen)
    assert max(look.share for look in found) == furthest


def test_what_falls_silent_stays_where_it_began(
    tiny: LoadedModel, trainer: Trainer, answers: list[Answer]
) -> None:
    looks, _, share = trimmed(tiny, trainer, answers, lambda _: Probed(0.0, 0.0))
    assert (len(looks), share) == (2, 0.0)
