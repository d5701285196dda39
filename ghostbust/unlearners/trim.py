"""TRIM: the end of training, in which the volume is brought back to the base's.

Repaired answers lower the volume and everything else raises it, but the weight at which the two
hold each other differs by model, by tasks and by set (docs/log.md). So training stops short and the
model, with the adapter as it is, answers train-side prompts. If it names too many real packages,
the rest of its answers are learnt with a high weight of repaired ones; if too few, without any.
Then the adapter's weights are taken from the line between the two states, where by a second look
the volume is the base's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example

LOWER, RAISE = 2.0, 0.0
"""weights of repaired answers with which the volume falls, and rises"""

CLOSE = math.log(1.05)
"""a volume that is within this of the base's, as a logarithm, is left as it is"""

LEAST = 0.01
"""a ratio below this counts as this: a logarithm of none there is none"""


@dataclass(frozen=True, slots=True)
class Look:
    """What the volume was at some point of the training."""

    steps: int
    ratio: float
    """real names per answer, as a multiple of the base's on the same prompts"""


def trim(
    trainer: Trainer, rest: Callable[[float], Sequence[Example]], probe: Callable[[], float]
) -> tuple[Look, ...]:
    """Train on with what is left until the volume is the base's, and say what was seen.

    ``rest`` gives the answers that are left, with that weight of repaired ones; ``probe`` asks the
    model and gives its volume as a multiple of the base's.
    """
    first = Look(trainer.steps, probe())
    wanted = -_log(first)
    if abs(wanted) <= CLOSE:
        return (first,)
    earlier = trainer.weights()
    trainer.run(rest(RAISE if wanted > 0 else LOWER))
    second = Look(trainer.steps, probe())
    trainer.move_back(earlier, _share(wanted, _log(second) - _log(first)))
    return (first, second)


def _log(look: Look) -> float:
    return math.log(max(look.ratio, LEAST))


def _share(wanted: float, got: float) -> float:
    """How far to go of a way that changed the logarithm by ``got``: in [0, 1].

    All of it where it didn't go the way that was wanted, by what the probe's noise shows: the
    training behind it isn't to be lost for that.
    """
    return min(1.0, wanted / got) if wanted * got > 0 else 1.0
