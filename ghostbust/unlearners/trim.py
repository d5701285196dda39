"""TRIM: the end of training, in which the volume is brought back to the base's.

Repaired answers lower the volume and everything else raises it; where the two hold each other
differs by model, by tasks and by set (docs/log.md). So training stops short and the model, with the
adapter as it is, answers train-side prompts. Then the rest of its answers is learnt, with heavier
repaired forms where it names too much that is real, and only what names real packages where it
names too little. On the line between the two states the adapter is taken from where it has the
best chance to show both a lower rate and the base's volume: suppression grows along it, and the
volume moves.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

from ghostbust.records import Answer
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example
from ghostbust.unlearners.sets import Group
from ghostbust.unlearners.steering import MOST_LOOKS

if TYPE_CHECKING:
    import torch

LOWER = 2.0
"""weight of repaired answers with which the volume falls"""

CLOSE = math.log(1.1)
"""a volume that is within this of the base's, as a logarithm, is right as it is"""

VOLUME, RATE = NormalDist(sigma=0.15), NormalDist(sigma=0.12)
"""how far what held-out prompts show may be from a look at some 140 prompts, estimated from the
runs in docs/log.md: of the volume's logarithm, and of the rate as a multiple of the base's"""

FURTHEST = 1.5
"""how far on the line between the two states it is followed: 1 is its end"""

WORTH = 0.05
"""a look is taken where it promises so much more of a chance"""

LEAST = 0.01
"""a ratio below this counts as this: a logarithm of none there is none"""


@dataclass(frozen=True, slots=True)
class Goal:
    """What held-out prompts have to show, as the gates will judge it; multiples of the base's."""

    volume_low: float = 0.8
    volume_high: float = 1.25
    most_rate: float = 0.5

    def chance(self, volume: float, rate: float) -> float:
        """How likely they are to show it, where a look showed this volume and this rate."""
        log = math.log(max(volume, LEAST))
        low, high = (math.log(limit) - log for limit in (self.volume_low, self.volume_high))
        return (VOLUME.cdf(high) - VOLUME.cdf(low)) * RATE.cdf(self.most_rate - rate)


@dataclass(frozen=True, slots=True)
class Probed:
    """What a model names to some prompts."""

    volume: float
    """real names per answer, as a multiple of the base's"""
    rate: float
    """hallucination rate, as a multiple of the base's; 0 where it names nothing"""
    answers: tuple[Answer, ...] = ()
    """what it said"""
    excess: Mapping[Group, float] = field(default_factory=dict)
    """logarithm of the volume in each context, as far as few answers say it"""


@dataclass(frozen=True, slots=True)
class Look:
    """What the model named at some point of the training."""

    steps: int
    share: float
    """how far on the line that the last stretch of training went: 0 its start, 1 its end; beyond 1
    it is drawn on, below 0 were the stretches before it"""
    volume: float
    rate: float

    @property
    def log(self) -> float:
        """Above 0 where it names too much, below where it names too little."""
        return math.log(max(self.volume, LEAST))


def trim(
    trainer: Trainer,
    rest: Callable[[float | None], Sequence[Example]],
    probe: Callable[[], Probed],
    *,
    repair: float,
    goal: Goal,
) -> tuple[Look, ...]:
    """Train on what is left, then go to where ``goal`` is nearest. Says what was seen.

    ``rest`` gives the answers that are left, their repaired forms at the given weight, which is
    ``repair`` where the volume is right as it is; for None, what raises the volume. ``probe`` asks
    the model. The weights that stay are among those that were looked at.
    """

    def look(share: float) -> Look:
        seen = probe()
        return Look(trainer.steps, share, seen.volume, seen.rate)

    looks = [look(0.0)]
    begin = trainer.weights()
    trainer.run(rest(_weight(looks[0], repair)))
    looks.append(look(1.0))
    settle(trainer, begin, looks, look, goal)
    return tuple(looks)


def settle(
    trainer: Trainer,
    begin: Sequence[torch.Tensor],
    looks: list[Look],
    look: Callable[[float], Look],
    goal: Goal,
) -> None:
    """Go to where ``goal`` is nearest on the line from ``begin`` to where the training is now.

    ``looks`` are those at both ends; more are added where they promise something.
    """
    end = trainer.weights()
    best = _best(looks, goal)
    while len(looks) < MOST_LOOKS:
        place = _best(_places(looks), goal)
        if _chance(place, goal) <= _chance(best, goal) + WORTH:
            break
        trainer.blend(begin, end, place.share)
        looks.append(look(place.share))
        best = _best(looks, goal)
    trainer.blend(begin, end, best.share)


def _best(looks: Sequence[Look], goal: Goal) -> Look:
    """The one with the best chance; where none has any, the nearest to the base's volume."""
    return max(looks, key=lambda look: (_chance(look, goal), -abs(look.log)))


def _chance(look: Look, goal: Goal) -> float:
    return goal.chance(look.volume, look.rate)


def _weight(first: Look, repair: float) -> float | None:
    """What repaired answers weigh in the last stretch; None where the volume has to rise."""
    if abs(first.log) <= CLOSE:
        return repair
    return LOWER if first.log > 0 else None


def _places(looks: Sequence[Look]) -> list[Look]:
    """What would be seen elsewhere, if rate and volume ran straight from one look to the next.

    Behind the last one only where no other volume would be right.
    """
    order = sorted(looks, key=lambda look: look.share)
    places = [_between(a, b, part / 20) for a, b in itertools.pairwise(order) for part in range(21)]
    if not any(abs(place.log) <= CLOSE for place in places):
        a, b = order[-2:]
        reach = (FURTHEST - b.share) / (b.share - a.share)
        places += [_between(a, b, 1 + reach * part / 20) for part in range(1, 21)]
    return places


def _between(a: Look, b: Look, part: float) -> Look:
    """What would be seen on the straight line from ``a`` to ``b``."""
    return Look(
        b.steps,
        a.share + part * (b.share - a.share),
        math.exp(a.log + part * (b.log - a.log)),
        max(0.0, a.rate + part * (b.rate - a.rate)),
    )
