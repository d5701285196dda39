"""TRIM: the end of training, in which the volume is brought back to the base's.

Repaired answers lower the volume and everything else raises it; where the two hold each other
differs by model, by tasks and by set (docs/log.md). So training stops short and the model, with the
adapter as it is, answers train-side prompts. Then the rest of its answers is learnt, with heavier
repaired forms where it names too much that is real, without them where it names too little. The
adapter's weights are taken from the line between the two states, where the volume is the base's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example

LOWER, RAISE = 3.0, 0.0
"""weights of repaired answers with which the volume falls, and rises"""

CLOSE = math.log(1.1)
"""a volume that is within this of the base's, as a logarithm, is left as it is"""

FURTHEST = 1.5
"""how far behind its end the line is followed where the volume has not yet crossed the base's"""

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


def trim(
    trainer: Trainer, rest: Callable[[float], Sequence[Example]], probe: Callable[[], float]
) -> tuple[Look, ...]:
    """Train on what is left, then go back to where the volume is the base's. Says what was seen.

    ``rest`` gives the answers that are left, their repaired forms at the given weight; ``probe``
    asks the model and gives its volume as a multiple of the base's.
    """
    first = Look(trainer.steps, 0.0, probe())
    begin = trainer.weights()
    trainer.run(rest(LOWER if first.log > 0 else RAISE))
    last = Look(trainer.steps, 1.0, probe())
    end = trainer.weights()
    if (last.log - first.log) * first.log >= 0:  # the wrong way; what was trained isn't lost for it
        return (first, last)
    share = min(_crossing(first, last), FURTHEST)
    trainer.blend(begin, end, share)
    middle = Look(trainer.steps, share, probe())
    if abs(middle.log) > CLOSE:
        trainer.blend(begin, end, _best((first, last, middle)))
    return (first, last, middle)


def _best(looks: Sequence[Look]) -> float:
    """The share at which two neighbouring looks say that the volume crosses the base's.

    Where none do, that of the look which is nearest to it.
    """
    order = sorted(looks, key=lambda look: look.share)
    for a, b in itertools.pairwise(order):
        if a.log * b.log < 0:
            return _crossing(a, b)
    return min(order, key=lambda look: abs(look.log)).share


def _crossing(a: Look, b: Look) -> float:
    """The share at which the logarithm of the volume, straight through the two looks, is 0."""
    return a.share + (b.share - a.share) * a.log / (a.log - b.log)
