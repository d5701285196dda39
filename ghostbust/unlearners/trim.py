"""TRIM: the end of training, in which the volume is brought back to the base's.

Repaired answers lower the volume and everything else raises it; where the two hold each other
differs by model, by tasks and by set (docs/log.md). So training stops short and the model, with the
adapter as it is, answers train-side prompts. Then the rest of its answers is learnt, with heavier
repaired forms where it names too much that is real, without them where it names too little. If the
volume isn't right at either end of that stretch, it is looked for on the line between the two.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example

LOWER, RAISE = 2.0, 0.0
"""weights of repaired answers with which the volume falls, and rises"""

CLOSE = math.log(1.1)
"""a volume that is within this of the base's, as a logarithm, is left as it is"""

FURTHEST = 1.5
"""how far behind its end the line is followed where the volume has not yet crossed the base's"""

MOST_LOOKS = 4

LEAST = 0.01
"""a ratio below this counts as this: a logarithm of none there is none"""


@dataclass(frozen=True, slots=True)
class Look:
    """What the volume was at some point of the training."""

    steps: int
    share: float
    """how far on the line that the last stretch of training went: 0 its start, 1 its end; beyond 1
    it is drawn on"""
    ratio: float
    """real names per answer, as a multiple of the base's on the same prompts"""

    @property
    def log(self) -> float:
        """Above 0 where it names too much, below where it names too little."""
        return math.log(max(self.ratio, LEAST))

    @property
    def is_close(self) -> bool:
        """True where that is near enough."""
        return abs(self.log) <= CLOSE


def trim(
    trainer: Trainer,
    rest: Callable[[float], Sequence[Example]],
    probe: Callable[[], float],
    *,
    repair: float,
) -> tuple[Look, ...]:
    """Train on what is left, then go to where the volume is the base's. Says what was seen.

    ``rest`` gives the answers that are left, their repaired forms at the given weight, which is
    ``repair`` where the volume is right as it is; ``probe`` asks the model and gives its volume as
    a multiple of the base's. The weights that stay are among those that were looked at.
    """
    looks = [Look(trainer.steps, 0.0, probe())]
    begin = trainer.weights()
    trainer.run(rest(_weight(looks[0], repair)))
    looks.append(Look(trainer.steps, 1.0, probe()))
    end = trainer.weights()
    while not any(look.is_close for look in looks) and len(looks) < MOST_LOOKS:
        share = _next(looks)
        if share is None:
            break
        trainer.blend(begin, end, share)
        looks.append(Look(trainer.steps, share, probe()))
    trainer.blend(begin, end, _best(looks).share)
    return tuple(looks)


def _weight(first: Look, repair: float) -> float:
    """What repaired answers weigh in the last stretch."""
    if first.is_close:
        return repair
    return LOWER if first.log > 0 else RAISE


def _next(looks: Sequence[Look]) -> float | None:
    """Where to look next: where the logarithm of the volume is 0, straight through two looks.

    Those are two neighbours with the base's volume between them. Where there are none, the first
    and the last look on a line that comes nearer; None where it doesn't, or was followed already.
    """
    order = sorted(looks, key=lambda look: look.share)
    for a, b in itertools.pairwise(order):
        if a.log * b.log < 0:
            return _crossing(a, b)
    a, b = order[0], order[-1]
    if b.share > 1 or abs(b.log) >= abs(a.log):
        return None
    return min(_crossing(a, b), FURTHEST)


def _best(looks: Sequence[Look]) -> Look:
    """The one that trained most of those that are close enough; of none, the nearest."""
    close = [look for look in looks if look.is_close]
    if close:
        return max(close, key=lambda look: look.share)
    return min(looks, key=lambda look: abs(look.log))


def _crossing(a: Look, b: Look) -> float:
    """The share at which the logarithm of the volume, straight through the two looks, is 0."""
    return a.share + (b.share - a.share) * a.log / (a.log - b.log)
