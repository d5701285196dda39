"""SELECT: which answers a round learns from. Nothing of a held-out prompt family gets in."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from ghostbust.errors import TrainingError
from ghostbust.records import Answer, Prompt, SetSplit

LONGEST_LIST = 12
"""answers that name more distinct packages than this are loops or padding: left out"""


def select(
    answers: Iterable[Answer],
    holdout: Sequence[Prompt],
    *,
    most: int,
    seed: int,
) -> SetSplit:
    """At most ``most`` answers, a fair sample of the train side, parted into forget and retain.

    A fair sample, those that name nothing included, because a set in which every answer names
    packages teaches the model to name more (docs/log.md, 2026-11-24). Answers that repeat
    another's text for the same prompt are left out, as are empty ones and long lists. The choice
    is seeded and doesn't depend on the order of ``answers``.

    Raises TrainingError where it holds no invented, or no real name to learn from.
    """
    held_out = {prompt.family for prompt in holdout}
    usable: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        prompt, text = answer.sample.prompt, answer.sample.text
        short = len(answer.real) + len(answer.invented) <= LONGEST_LIST
        if prompt.family not in held_out and text.strip() and short:
            twin = usable.get((prompt.id, text), answer)
            usable[prompt.id, text] = min(twin, answer, key=lambda a: a.sample.id)
    chosen = [usable[key] for key in sorted(usable)]
    random.Random(seed).shuffle(chosen)  # noqa: S311
    del chosen[most:]
    if not any(answer.invented for answer in chosen):
        raise TrainingError("nothing to unlearn: no train-side answer names an invented package")
    if not any(answer.real for answer in chosen):
        raise TrainingError("nothing to keep: no train-side answer names a real package")
    return SetSplit(
        forget=tuple(answer for answer in chosen if answer.invented),
        retain=tuple(answer for answer in chosen if not answer.invented),
        holdout=tuple(holdout),
    )
