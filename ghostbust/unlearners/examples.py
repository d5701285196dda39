"""Which examples a stretch of training has, and what each of them weighs.

Answers of three kinds: they invent, or name real packages only, or name nothing. Likelihood keeps
the number of names only where the kinds weigh what they do in nature, an answer with inventions by
its repaired form. A set isn't so: half of it invents, to learn as much as can be from a few
answers. So each kind is weighed back (docs/log.md, 2026-11-28).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.masks import Example, encode_answer, encode_repaired, standing_in
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import Kinds, is_usable, spread
from ghostbust.unlearners.settings import TrainSettings

TRIM_SHARE = 0.3
"""share of the answers that is kept for trimming the volume, where it can be measured"""


@dataclass(frozen=True, slots=True)
class Nature:
    """How often a model gives each kind of answer, for each with inventions."""

    naming: float
    silent: float

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """As the answers have it; where none invents, as if one did."""
        kinds = Kinds.of([answer for answer in answers if is_usable(answer)])
        inventing = max(1, len(kinds.inventing))
        return cls(len(kinds.naming) / inventing, len(kinds.silent) / inventing)


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
    """The answers, and those with inventions once more without them, if they weigh anything."""
    kinds, repair = Kinds.of(answers), settings.weights.repair
    examples = encode_kinds(loaded, kinds, settings, nature, inventing=len(kinds.inventing))
    if repair:
        examples += [encode_repaired(loaded, one, weight=repair) for one in kinds.inventing]
    return examples


def encode_kinds(
    loaded: LoadedModel,
    kinds: Kinds,
    settings: TrainSettings,
    nature: Nature,
    *,
    inventing: float,
    besides: Nature | None = None,
    most: float = math.inf,
) -> list[Example]:
    """The answers as they are: those with inventions weigh 1, each other kind together what it does
    in nature beside ``inventing`` of them, and what it stands in for ``besides``, a weight of each
    kind; one answer at most so much. Without a weight, 1.
    """
    masking, weights = method_named(settings.method).masking, settings.weights
    examples: list[Example] = []
    more = besides or Nature(0, 0)
    for kind, natural, lost, factor in (
        (kinds.inventing, 0.0, 0.0, 1.0),
        (kinds.naming, nature.naming * inventing, more.naming, weights.naming),
        (kinds.silent, nature.silent * inventing, more.silent, weights.silent),
    ):
        count = max(1, len(kind))
        each = min(most, factor * (natural + lost) / count)
        examples += [
            standing_in(
                encode_answer(loaded, answer, weight=each or 1.0, masking=masking),
                min(most, lost / count),
            )
            for answer in kind
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
