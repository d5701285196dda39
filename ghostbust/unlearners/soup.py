"""SOUP: several trainings from the same start, and the mean of their weights.

Each training is steered by looks at a hundred prompts or two, learns other answers as far as there
are any (``sets.deal``), and ends where its volume and its rate happen to be; what they have in
common is what such answers teach. So each is a member, and their mean is taken (a model soup:
Wortsman et al. 2022, arXiv 2203.05482). All members begin with the same A of each layer, which
moves little; the mean of their A and B is then near the adapter whose change of the weights is
the mean of theirs: off by 17 % of its norm where they learnt other answers (docs/log.md).

A mean changes the model less than its members do. So on the line from the start through the mean,
places beyond it are looked at too, and the adapter is taken from where rate and volume are best. A
look by itself says that too vaguely: what counts are straight lines through all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import linear_regression

import torch

from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.trim import Goal, Look, Probed

SHARES = (1.2, 1.4, 1.6)
"""places that are looked at, from the start (0) through the mean (1): about where the change is as
large as its members' are; found on SmolLM2"""

STEP = 1_000_003
"""from the seed of one member to that of the next"""


def member_seeds(seed: int, members: int) -> range:
    """The seeds of a round's trainings; the first one's is the round's."""
    return range(seed, seed + STEP * members, STEP)


def soup(
    trainer: Trainer,
    train: Callable[[int], tuple[Look, ...]],
    seeds: Sequence[int],
    probe: Callable[[], Probed] | None,
    goal: Goal,
) -> tuple[Look, ...]:
    """Train once with each of the seeds, each time from where the trainer stands now, and go to the
    best place on the line of the mean. ``train`` gets the seed. Says what was seen.

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
    if len(ends) == 1:
        return tuple(looks)
    mean = [torch.stack(same).mean(0) for same in zip(*ends, strict=True)]
    if probe is None:
        trainer.blend(start, mean, 1.0)
        return tuple(looks)
    places: list[Look] = []
    for share in SHARES:
        trainer.blend(start, mean, share)
        seen = probe()
        places.append(Look(trainer.steps, share, seen.volume, seen.rate))
    best = max(_levelled(places), key=lambda place: goal.worth(place.volume, place.rate))
    trainer.blend(start, mean, best.share)
    return (*looks, *places)


def _levelled(places: Sequence[Look]) -> list[Look]:
    """The places with what the volume's logarithm and the rate are on straight lines through all
    of them, by least squares.
    """
    shares = [place.share for place in places]
    log = linear_regression(shares, [place.log for place in places])
    rate = linear_regression(shares, [place.rate for place in places])
    return [
        replace(
            place,
            volume=math.exp(log.slope * place.share + log.intercept),
            rate=rate.slope * place.share + rate.intercept,
        )
        for place in places
    ]
