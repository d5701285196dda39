"""What the guard costs: processor time per token with and without it, in turn in one process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from ghostbust.records import Prompt, Sample
from ghostbust.samplers.interface import AnswerGuard, SamplingSettings

if TYPE_CHECKING:
    from ghostbust.samplers.local import LocalSampler


@dataclass(frozen=True, slots=True)
class GuardCost:
    """The base and the base under the guard, on the same prompts with the same random numbers."""

    free: tuple[Sample, ...]
    held: tuple[Sample, ...]
    """of the first turn, each by prompt and number"""
    free_ms: tuple[float, ...]
    """processor time a token, in ms, a figure for each turn"""
    held_ms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over the turns of the guard's time a token as a share of the base's."""
        return median(one / other for one, other in zip(self.held_ms, self.free_ms, strict=True))

    @property
    def same(self) -> tuple[bool, ...]:
        """Of each answer, whether it is the same on both sides, character for character."""
        return tuple(
            one.text == other.text for one, other in zip(self.free, self.held, strict=True)
        )


def guard_cost(
    base: LocalSampler,
    guard: AnswerGuard,
    prompts: Sequence[Prompt],
    settings: SamplingSettings,
    turns: int,
) -> GuardCost:
    """Samples the prompts ``turns`` times without and with the guard, each turn with its seed."""
    held_base = base.guarded(guard)
    list(held_base.sample(prompts[:1], replace(settings, max_new_tokens=2)))  # what is made once
    free, held = [], []
    for turn in range(turns):
        seeded = replace(settings, seed=settings.seed + turn)
        free.append(_timed(base, prompts, seeded))
        held.append(_timed(held_base, prompts, seeded))
    return GuardCost(
        free[0][0], held[0][0], tuple(one[1] for one in free), tuple(one[1] for one in held)
    )


def _timed(
    sampler: LocalSampler, prompts: Sequence[Prompt], settings: SamplingSettings
) -> tuple[tuple[Sample, ...], float]:
    """The samples by prompt and number, and the processor time a token in ms."""
    started = time.process_time()
    samples = list(sampler.sample(prompts, settings))
    spent = time.process_time() - started
    samples.sort(key=lambda one: (one.prompt.id, one.number))
    return tuple(samples), 1_000 * spent / max(1, sum(one.tokens for one in samples))
