"""Which answers make a step and a micro-batch, and a micro-batch as tensors."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from ghostbust.unlearners.masks import CLASSES, FORGET, FORK, Example


def deal_steps(
    examples: Sequence[Example], *, answers_per_step: int, epochs: int, seed: int
) -> Iterator[list[Example]]:
    """The answers of each optimizer step: every epoch in a new seeded order.

    Answers to forget, repaired ones and each weight of the others are dealt evenly, so that every
    step sees about as much of each: by chance alone some saw no invention at all. Bare code comes
    on top of ``answers_per_step``.
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
    """Answers of similar length together, at most so many, about as many in each."""
    by_length = sorted(step, key=lambda example: len(example.ids))
    count = math.ceil(len(by_length) / most)
    for number in range(count):
        start, stop = (len(by_length) * end // count for end in (number, number + 1))
        yield by_length[start:stop]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the shares of a step are shares of, each answer counted with its weight."""

    tokens: dict[int, float]
    """by mask value; a FORK token is a share of the FORGET tokens, if those are more: it stands in
    the place of one, and weighs as much"""
    forgetting: float
    """answers that hold FORGET tokens"""

    @classmethod
    def of(cls, step: Sequence[Example]) -> Totals:
        """The totals of all answers of a step."""
        tokens = {
            mark: sum(example.weight_of(mark) * example.mask.count(mark) for example in step)
            for mark in CLASSES
        }
        tokens[FORK] = max(tokens[FORK], tokens[FORGET])
        return cls(
            tokens,
            sum(example.weight for example in step if example.forgets),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: B answers behind their prompts, and the N of their tokens that are read."""

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
    """what each token weighs in the mean of its class over the step: (N,)"""
    answer_share: torch.Tensor
    """what each answer weighs in the mean over the answers that forget: (B,)"""
    ends: torch.Tensor
    """True at the end token of an answer: (N,)"""

    @property
    def places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the tokens are predicted: rows and columns, each (N,)."""
        return self.row, self.column - 1


def make_batch(
    examples: Sequence[Example], totals: Totals, marks: frozenset[int], device: torch.device
) -> Batch:
    """The answers as tensors; of their tokens those whose mask value is among ``marks``."""
    longest = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)  # (B, T)
    tokens: list[tuple[int, int, int, float, bool]] = []
    for number, example in enumerate(examples):
        ids[number, : len(example.ids)] = torch.tensor(example.ids)
        last = len(example.ids) - 1 if example.ended else -1
        tokens += [
            (number, column, mark, example.weight_of(mark) / totals.tokens[mark], column == last)
            for column, mark in enumerate(example.mask, example.start)
            if mark in marks
        ]
    row, column, mask = (
        torch.tensor([token[:3] for token in tokens], dtype=torch.long).reshape(-1, 3).T
    )
    forgetting = [example.weight * example.forgets for example in examples]
    return Batch(
        ids=ids.to(device),
        row=row.to(device),
        column=column.to(device),
        targets=ids[row, column].to(device),
        mask=mask.to(device),
        share=torch.tensor([token[3] for token in tokens], device=device),
        answer_share=torch.tensor(
            [weight / totals.forgetting if weight else 0.0 for weight in forgetting], device=device
        ),
        ends=torch.tensor([token[4] for token in tokens], dtype=torch.bool, device=device),
    )
