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
    """A forget and a retain set of at most ``most`` answers together, half each where possible.

    The choice is seeded and doesn't depend on the order of ``answers``. Answers that repeat
    another's text for the same prompt are left out, as are those that name nothing.
    Raises TrainingError where there is no invented, or no real name to learn from.
    """
    held_out = {prompt.family for prompt in holdout}
    usable: dict[tuple[str, str], Answer] = {}
    for answer in answers:
        prompt = answer.sample.prompt
        if prompt.family not in held_out and len(answer.real + answer.invented) <= LONGEST_LIST:
            usable.setdefault((prompt.id, answer.sample.text), answer)
    ordered = [usable[key] for key in sorted(usable)]
    forget = [answer for answer in ordered if answer.invented]
    retain = [answer for answer in ordered if answer.real and not answer.invented]
    if not forget:
        raise TrainingError("nothing to unlearn: no train-side answer names an invented package")
    if not retain:
        raise TrainingError("nothing to keep: no train-side answer names real packages only")
    rng = random.Random(seed)  # noqa: S311
    rng.shuffle(forget)
    rng.shuffle(retain)
    n_forget = min(len(forget), max(most - len(retain), most // 2))
    return SetSplit(tuple(forget[:n_forget]), tuple(retain[: most - n_forget]), tuple(holdout))
