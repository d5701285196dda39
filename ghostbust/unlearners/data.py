"""The examples of a training: which ones, what each weighs, and in which step it is learnt.

Answers are of three kinds: they invent, or name real packages only, or name nothing. Likelihood
keeps the number of names only where the kinds weigh what they do in nature, an answer with
inventions by its repaired form. A set isn't like nature: half of it invents, to learn as much as
possible from a few answers. So each kind is weighed back (docs/log.md, 2026-11-28).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.masks import (
    CLASSES,
    FORGET,
    FORK,
    Example,
    encode_answer,
    encode_repaired,
    standing_in,
)
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import Kinds, is_usable, spread
from ghostbust.unlearners.settings import TrainSettings

TRIM_SHARE = 0.3
"""share of the answers kept for trimming the volume, where it can be measured"""


@dataclass(frozen=True, slots=True)
class Nature:
    """How often a model gives the other kinds of answers, for each answer with inventions."""

    naming: float
    silent: float

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """Their frequency in these answers; where none invents, as if one did."""
        kinds = Kinds.of([answer for answer in answers if is_usable(answer)])
        inventing = max(1, len(kinds.inventing))
        return cls(len(kinds.naming) / inventing, len(kinds.silent) / inventing)


def cut(sets: SetSplit, shares: Sequence[float], seed: int) -> list[list[Answer]]:
    """The answers of the sets in parts of these shares, alike in contexts and kinds."""
    parts: list[list[Answer]] = [[] for _ in shares]
    for answers in (sets.forget, sets.retain):
        order = sorted(answers, key=lambda answer: answer.sample.id)
        random.Random(seed).shuffle(order)  # noqa: S311
        order = spread(order)
        begin = 0.0
        for part, share in zip(parts, shares, strict=True):
            part += order[round(begin * len(order)) : round((begin + share) * len(order))]
            begin += share
    return parts


def encode(
    loaded: LoadedModel, answers: Sequence[Answer], settings: TrainSettings, nature: Nature
) -> list[Example]:
    """The answers, and the repaired forms of those with inventions, if these weigh anything."""
    kinds, repair = Kinds.of(answers), settings.weights.repair
    examples = encode_kinds(loaded, kinds, settings, nature, inventing=len(kinds.inventing))
    if repair:
        examples += [encode_repaired(loaded, one, weight=repair) for one in kinds.inventing]
    return examples


def encode_rest(
    loaded: LoadedModel,
    rest: Sequence[Answer],
    settings: TrainSettings,
    nature: Nature,
    repair: float | None,
) -> list[Example]:
    """The same for the last stage of the trim, with this weight of repaired forms.

    None raises the volume: then only answers that name real packages alone are learnt. Suppression
    would keep a silent model silent, whatever repaired forms weigh.
    """
    naming = Kinds.of(rest).naming
    if repair is not None or not naming:
        weights = replace(settings.weights, repair=repair or 0.0)
        return encode(loaded, rest, replace(settings, weights=weights), nature)
    return [encode_answer(loaded, answer) for answer in naming] * (len(rest) // len(naming))


def encode_kinds(
    loaded: LoadedModel,
    kinds: Kinds,
    settings: TrainSettings,
    nature: Nature,
    *,
    inventing: float,
    besides: Nature = Nature(0, 0),
    most: float = math.inf,
) -> list[Example]:
    """The answers as they are. Each with inventions weighs 1.

    Each other kind weighs together what it does in nature beside ``inventing`` answers with
    inventions, and ``besides``, the weight that it stands in for; one answer at most ``most``. A
    kind that would weigh 0 weighs 1 an answer.
    """
    masking, weights = method_named(settings.method).masking, settings.weights
    examples: list[Example] = []
    for kind, natural, lost, factor in (
        (kinds.inventing, 0.0, 0.0, 1.0),
        (kinds.naming, nature.naming * inventing, besides.naming, weights.naming),
        (kinds.silent, nature.silent * inventing, besides.silent, weights.silent),
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


def count_steps(examples: int, settings: TrainSettings) -> int:
    """How many optimizer steps so many examples make, all epochs together."""
    return settings.epochs * math.ceil(examples / settings.answers_per_step)


def deal_steps(
    examples: Sequence[Example], *, answers_per_step: int, epochs: int, seed: int
) -> Iterator[list[Example]]:
    """The answers of each optimizer step: every epoch in a new seeded order.

    Answers to forget, repaired ones and each weight of the others are dealt evenly, so that every
    step has about as much of each: by chance alone some had no invention at all. Bare code comes on
    top of ``answers_per_step``.
    """
    rng = random.Random(seed)  # noqa: S311
    for _ in range(epochs):
        order = [example for example in examples if not example.bare]
        bare = [example for example in examples if example.bare]
        rng.shuffle(order)
        order.sort(key=lambda example: (example.forgets, example.repaired, example.weight))
        count = math.ceil(len(order) / answers_per_step)
        dealt = [order[first::count] for first in range(count)]
        rng.shuffle(dealt)
        yield from (step + bare[number::count] for number, step in enumerate(dealt))


def micro_batches(step: Sequence[Example], most: int) -> Iterator[list[Example]]:
    """Answers of similar length together, at most ``most``, about as many in each."""
    by_length = sorted(step, key=lambda example: len(example.ids))
    count = math.ceil(len(by_length) / most)
    for number in range(count):
        start, stop = (len(by_length) * end // count for end in (number, number + 1))
        yield by_length[start:stop]


@dataclass(frozen=True, slots=True)
class Totals:
    """The denominators of a step's shares; each answer counts with its weight."""

    tokens: dict[int, float]
    """by mask value. FORK tokens have at least that of the FORGET tokens: each takes the place of
    one of these, and weighs as much"""
    forgetting: float
    """answers that hold FORGET tokens"""

    @classmethod
    def of(cls, step: Sequence[Example]) -> Self:
        """The totals of all answers of a step."""
        tokens = {
            mark: sum(example.weight_of(mark) * example.mask.count(mark) for example in step)
            for mark in CLASSES
        }
        tokens[FORK] = max(tokens[FORK], tokens[FORGET])
        return cls(tokens, sum(example.weight for example in step if example.forgets))


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: B answers after their prompts, and N of their tokens."""

    ids: torch.Tensor
    """token ids, right-padded: (B, T)"""
    row: torch.Tensor
    """which answer each token belongs to: (N,)"""
    column: torch.Tensor
    """where it stands: (N,); it is predicted one place before"""
    targets: torch.Tensor
    """the tokens themselves: (N,)"""
    mask: torch.Tensor
    """tri-mask: (N,)"""
    share: torch.Tensor
    """weight of each token in the mean of its class over the step: (N,)"""
    answer_share: torch.Tensor
    """weight of each answer in the mean over the answers that forget: (B,)"""

    @property
    def places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the tokens are predicted: rows and columns, each (N,)."""
        return self.row, self.column - 1


def make_batch(
    examples: Sequence[Example], totals: Totals, marks: frozenset[int], device: torch.device
) -> Batch:
    """The answers as tensors, with those of their tokens whose mask value is among ``marks``."""
    longest = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)  # (B, T)
    places: list[tuple[int, int, int]] = []
    shares: list[float] = []
    for number, example in enumerate(examples):
        ids[number, : len(example.ids)] = torch.tensor(example.ids)
        for column, mark in enumerate(example.mask, example.start):
            if mark in marks:
                places.append((number, column, mark))
                shares.append(example.weight_of(mark) / totals.tokens[mark])
    row, column, mask = torch.tensor(places, dtype=torch.long).reshape(-1, 3).T  # (N,) each
    forgetting = [example.weight * example.forgets for example in examples]
    return Batch(
        ids=ids.to(device),
        row=row.to(device),
        column=column.to(device),
        targets=ids[row, column].to(device),
        mask=mask.to(device),
        share=torch.tensor(shares, device=device),
        answer_share=torch.tensor(
            [weight / totals.forgetting if weight else 0.0 for weight in forgetting], device=device
        ),
    )
