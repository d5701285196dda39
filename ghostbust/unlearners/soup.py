"""SOUP: several trainings from the same start, and what they have in common.

Each training is steered by looks at a hundred prompts or two, learns other answers as far as there
are any (``sets.deal``), and ends where its volume and its rate happen to be; what they have in
common is what such answers teach. So each is a member, and their mean is taken (a model soup:
Wortsman et al. 2022, arXiv 2203.05482). All members begin with the same A of each layer, which
moves little; the mean of their A and B is then near the adapter whose change of the weights is
the mean of theirs: off by 17 % of its norm where they learnt other answers (docs/log.md).

A mean is nearer to the start than its members are, since what they did differently cancels out. So
its B goes on in the same direction, by as much as they are farther away. Asking the model on the
way didn't help: two hundred answers can't tell the places apart (docs/log.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from ghostbust.unlearners.engine import Trainer, distance
from ghostbust.unlearners.trim import Look

STEP = 1_000_003
"""from the seed of one member to that of the next"""


def member_seeds(seed: int, members: int) -> range:
    """The seeds of a round's trainings; the first one's is the round's."""
    return range(seed, seed + STEP * members, STEP)


def soup(
    trainer: Trainer, train: Callable[[int], tuple[Look, ...]], seeds: Sequence[int]
) -> tuple[Look, ...]:
    """Train once with each of the seeds, each time from where the trainer stands now, and go to
    their mean and beyond. ``train`` gets the seed. Says what was seen.

    The trainer is made with the first seed. One training is left where it ends.
    """
    start = trainer.weights()
    ends: list[list[torch.Tensor]] = []
    looks: list[Look] = []
    for number, seed in enumerate(seeds):
        if number:
            trainer.begin_anew(start, seed)
        looks += train(seed)
        ends.append(trainer.weights())
    if len(ends) > 1:
        mean = [torch.stack(same).mean(0) for same in zip(*ends, strict=True)]
        trainer.go_beyond(start, mean, farther(start, ends, mean))
    return tuple(looks)


def farther(
    start: Sequence[torch.Tensor],
    ends: Sequence[Sequence[torch.Tensor]],
    mean: Sequence[torch.Tensor],
) -> float:
    """How much farther from the start the ends are than their mean, as a factor: 1 where they are
    the same, √n for n that have nothing in common, and no more where they work against each other.
    """
    reach, most = distance(start, mean), math.sqrt(len(ends))
    far = sum(distance(start, end) for end in ends) / len(ends)
    return min(far / reach, most) if reach else 1.0
