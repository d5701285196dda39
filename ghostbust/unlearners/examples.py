"""Which examples a stretch of training has, and what each of them weighs.

Answers of three kinds: they invent, or name real packages only, or name nothing. Likelihood keeps
the number of names only where the kinds weigh what they do in nature, an answer with inventions by
its repaired form. A set isn't so: half of it invents, to learn as much as can be from a few
answers. So each kind is weighed back in each context (docs/log.md, 2026-11-28 and 2026-11-29).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, SetSplit
from ghostbust.unlearners.engine import TrainSettings
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.repair import leaves_an_empty_list
from ghostbust.unlearners.sets import Kinds, is_usable, spread

TRIM_SHARE = 0.3
"""share of the answers that is kept for trimming the volume, where it can be measured"""


@dataclass(frozen=True, slots=True)
class Nature:
    """How many answers of each kind a model gives."""

    inventing: int
    naming: Mapping[Context, int]
    silent: Mapping[Context, int]

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """As the answers have it; where none invents, as if one did."""
        kinds = Kinds.of([answer for answer in answers if is_usable(answer)])
        return cls(
            inventing=max(1, len(kinds.inventing)),
            naming=Counter(answer.sample.prompt.context for answer in kinds.naming),
            silent=Counter(answer.sample.prompt.context for answer in kinds.silent),
        )


def part(sets: SetSplit, seed: int) -> tuple[list[Answer], list[Answer]]:
    """The answers to begin with and those kept for the trim, alike in contexts and kinds."""
    main: list[Answer] = []
    rest: list[Answer] = []
    for answers in (sets.forget, sets.retain):
        order = sorted(answers, key=lambda answer: answer.sample.id)
        random.Random(seed).shuffle(order)  # noqa: S311
        order = spread(order)
        kept = round(TRIM_SHARE * len(order))
        main += order[kept:]
        rest += order[:kept]
    return main, rest


def encode(
    loaded: LoadedModel, answers: Sequence[Answer], settings: TrainSettings, nature: Nature
) -> list[Example]:
    """The answers, and those with inventions once more without them, if they weigh anything.

    A list in which no name is left has no such form: it would be learnt to begin lists and to end
    them with nothing in them (docs/log.md, 2026-11-29).
    """
    masking, weights = method_named(settings.method).masking, settings.weights
    kinds = Kinds.of(answers)
    inventing = kinds.inventing
    examples = [encode_answer(loaded, answer, masking=masking) for answer in inventing]
    for kind, natural, weight in (
        (kinds.naming, nature.naming, weights.naming),
        (kinds.silent, nature.silent, weights.silent),
    ):
        alike = Counter(answer.sample.prompt.context for answer in kind)
        whole = weight * len(inventing) / nature.inventing
        each = {c: whole * natural.get(c, 0) / count for c, count in alike.items()}
        examples += [
            encode_answer(
                loaded, answer, weight=each[answer.sample.prompt.context] or 1.0, masking=masking
            )
            for answer in kind
        ]
    if weights.repair:
        examples += [
            encode_repaired(loaded, answer, weight=weights.repair)
            for answer in inventing
            if not leaves_an_empty_list(answer)
        ]
    return examples


def encode_rest(
    loaded: LoadedModel,
    rest: Sequence[Answer],
    settings: TrainSettings,
    nature: Nature,
    repair: float | None,
) -> list[Example]:
    """The same for the last stretch; for None, to raise the volume, what names only real packages.

    What suppresses keeps a model silent that is silent already, whatever repaired forms weigh.
    """
    naming = Kinds.of(rest).naming
    if repair is not None or not naming:
        weights = replace(settings.weights, repair=repair or 0.0)
        return encode(loaded, rest, replace(settings, weights=weights), nature)
    return [encode_answer(loaded, answer) for answer in naming] * (len(rest) // len(naming))
