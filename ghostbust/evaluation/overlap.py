"""How much of what the base recommends is still recommended, prompt by prompt and in all.

Two answers of one model to one prompt differ too, so every overlap is read as a share of that
between the base and itself, drawn with another seed. All models have seeds of their own: with
the base's random numbers, a model close to it would seem closer than the base is to itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations, product

import numpy as np

from ghostbust.evaluation.counting import Counted, Sums, share
from ghostbust.records import Answer
from ghostbust.statistics import Floats, resampled_sums

Pair = tuple[Answer, Answer]


def across(left: Sequence[Answer], right: Sequence[Answer]) -> Counted:
    """What each left answer shares with each right one to the same prompt, a mean per prompt."""
    others = _by_prompt(right)
    return _count({key: product(mine, others[key]) for key, mine in _by_prompt(left).items()})


def within(answers: Sequence[Answer]) -> Counted:
    """The same between each two of the answers to a prompt; needs two of each."""
    return _count({key: combinations(mine, 2) for key, mine in _by_prompt(answers).items()})


def dice(sums: Sums) -> Floats:
    """2·|A ∩ B| / (|A| + |B|) of the real names, sums over sums: (1 + R,), in [0, 1].

    Naming less, more, or other packages all lower it. NaN where neither side names any.
    """
    return share(sums["shared"], sums["sizes"])


def dice_ratio(yardstick: Sums, model: Sums) -> Floats:
    """The Dice coefficient with the base / the base's with itself: (1 + R,); 1 is no change."""
    return share(dice(model), dice(yardstick))


def name_shares(arms: Sequence[Sequence[Answer]], *, seed: int, resamples: int) -> list[Floats]:
    """How often each arm says each real name, resampled together: (1 + R, V) for each arm.

    A row sums to 1, or is 0 throughout where nothing was named. V are the names that occur.
    """
    names = sorted({name for answers in arms for answer in answers for name in answer.real})
    families = sorted({answer.sample.prompt.family for answers in arms for answer in answers})
    column = {name: place for place, name in enumerate(names)}
    row = {family: place for place, family in enumerate(families)}
    counts = np.zeros((len(families), len(arms), len(names)))  # (F, A, V)
    for arm, answers in enumerate(arms):
        for answer in answers:
            for name in answer.real:
                counts[row[answer.sample.prompt.family], arm, column[name]] += 1
    flat = counts.reshape(len(families), -1)  # (F, A·V)
    drawn = np.vstack([flat.sum(axis=0), resampled_sums(flat, seed=seed, resamples=resamples)])
    made = []
    for part in np.split(drawn, len(arms), axis=1):  # (1 + R, V) each
        totals = part.sum(axis=1, keepdims=True)
        made.append(part / np.where(totals, totals, 1))
    return made


def common_share(left: Floats, right: Floats) -> Floats:
    """The sum over names of the smaller of both shares, in [0, 1]: (1 + R,).

    Over all prompts together: it sees that the same few famous names come everywhere, also where
    single answers overlap too little to tell.
    """
    return np.asarray(np.minimum(left, right).sum(axis=1))


def _by_prompt(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.sample.prompt.id].append(answer)
    return grouped


def _count(pairs: dict[str, Iterable[Pair]]) -> Counted:
    """Twice what is shared and what is named by both together, a mean over each prompt's pairs."""
    families: list[str] = []
    columns: dict[str, list[float]] = {"shared": [], "sizes": []}
    for of_prompt in map(list, pairs.values()):
        if not of_prompt:
            continue
        sets = [(set(left.real), set(right.real)) for left, right in of_prompt]
        families.append(of_prompt[0][0].sample.prompt.family)
        columns["shared"].append(sum(2 * len(a & b) for a, b in sets) / len(sets))
        columns["sizes"].append(sum(len(a) + len(b) for a, b in sets) / len(sets))
    return Counted(families, columns)
