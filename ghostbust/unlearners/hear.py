"""HEAR: training in stretches, each of which knows what the model said just before it.

What the base's answers alone teach moves the volume, and each model and set moves it another way
(docs/log.md). So between stretches the model, with the adapter as it is, answers train-side
prompts, and the next one learns from these answers too (``stretches.py``). On the line of the last
stretch the adapter is taken from where rate and volume are best, as in ``trim.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import Example
from ghostbust.unlearners.trim import Goal, Look, Probed, settle


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the training."""

    examples: Callable[[Probed | None], Sequence[Example]]
    """what it learns, given what was seen just before it; None: nothing was"""
    steps: int
    """about how many it makes: the learning rate falls over all of them"""


def hear(
    trainer: Trainer, stretches: Sequence[Stretch], probe: Callable[[], Probed], goal: Goal
) -> tuple[Look, ...]:
    """Train stretch by stretch, then go to where ``goal`` is nearest. Says what was seen.

    ``probe`` asks the model; there are two stretches at least. The weights that stay are among
    those that were looked at.
    """
    looks: list[Look] = []
    seen: Probed | None = None

    def look(share: float) -> Look:
        nonlocal seen
        seen = probe()
        return Look(trainer.steps, share, seen.volume, seen.rate)

    *before, last = stretches
    for number, stretch in enumerate(before, 1):
        to_come = sum(later.steps for later in stretches[number:])
        trainer.run(stretch.examples(seen), to_come=to_come)
        looks.append(look(float(number - len(before))))
    begin = trainer.weights()
    trainer.run(last.examples(seen))
    line = [looks.pop(), look(1.0)]
    settle(trainer, begin, line, look, goal)
    return (*looks, *line)
