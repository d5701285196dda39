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
    probes: int,
    seed: int,
) -> SetSplit:
    """At most ``most`` answers of the train side, up to half of them with inventions.

    Beside them the base's answers to at most ``probes`` other prompts of the train side.

    Those without are a fair sample, answers that name nothing included, because a set in which
    every answer names packages teaches the model to name more (docs/log.md, 2026-11-24). Answers
    that repeat another's text for the same prompt are left out, as are empty ones and long lists.
    The choice is seeded and doesn't depend on the order of ``answers``.

    Raises TrainingError where it holds no invented, or no real name to learn from.
    """
    held_out = {prompt.family for prompt in holdout}
    train_side = [answer for answer in answers if answer.sample.prompt.family not in held_out]
    usable: dict[tuple[str, str], Answer] = {}
    for answer in train_side:
        prompt, text = answer.sample.prompt, answer.sample.text
        short = len(answer.real) + len(answer.invented) <= LONGEST_LIST
        if text.strip() and short:
            twin = usable.get((prompt.id, text), answer)
            usable[prompt.id, text] = min(twin, answer, key=lambda a: a.sample.id)
    shuffled = [usable[key] for key in sorted(usable)]
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    forget = [answer for answer in shuffled if answer.invented]
    retain = [answer for answer in shuffled if not answer.invented]
    del forget[max(most // 2, most - len(retain)) :]
    del retain[most - len(forget) :]
    if not forget:
        raise TrainingError("nothing to unlearn: no train-side answer names an invented package")
    if not any(answer.real for answer in forget + retain):
        raise TrainingError("nothing to keep: no train-side answer names a real package")
    return SetSplit(
        forget=tuple(forget),
        retain=tuple(retain),
        holdout=tuple(holdout),
        probe=_probe(train_side, forget + retain, most=probes, seed=seed),
    )


def _probe(
    train_side: Iterable[Answer], chosen: Iterable[Answer], *, most: int, seed: int
) -> tuple[Answer, ...]:
    """All the base's answers, empty ones and long lists too, to ``most`` prompts not ``chosen``."""
    learnt = {answer.sample.prompt.id for answer in chosen}
    by_prompt: dict[str, dict[str, Answer]] = {}
    for answer in train_side:
        if answer.sample.adapter is None and answer.sample.prompt.id not in learnt:
            by_prompt.setdefault(answer.sample.prompt.id, {})[answer.sample.id] = answer
    prompts = sorted(by_prompt)
    random.Random(seed).shuffle(prompts)  # noqa: S311
    return tuple(
        by_prompt[prompt][key] for prompt in prompts[:most] for key in sorted(by_prompt[prompt])
    )
