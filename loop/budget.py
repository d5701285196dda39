"""The limits of one watch: answers, tokens, seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ghostbust.config import Config
from ghostbust.records import Prompt, Sample
from ghostbust.samplers.interface import Sampler, SamplingSettings, reading, reckoned
from ghostbust.store import RunStatus, Store


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a watch may spend. None: no limit."""

    answers: int | None = None
    tokens: int | None = None
    seconds: float | None = None


class BudgetedSampler:
    """A sampler that ends quietly once the budget is spent, and closes what it was reading.

    A limit is looked at behind each answer, so what is under way then is still lost: a batch of a
    model that runs here. An answer that a server doesn't count costs a quarter of its characters.
    """

    def __init__(
        self,
        sampler: Sampler,
        budget: Budget,
        *,
        answers: int = 0,
        tokens: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``answers``, ``tokens``: spent already; the seconds begin now."""
        self._sampler, self._budget, self._clock = sampler, budget, clock
        self._answers, self._tokens, self._began = answers, tokens, clock()
        self.model = sampler.model
        self.adapter = sampler.adapter

    @property
    def spent(self) -> str | None:
        """Which limit is reached: ``answers``, ``tokens`` or ``seconds``; None as long as none."""
        limits = {
            "answers": (self._answers, self._budget.answers),
            "tokens": (self._tokens, self._budget.tokens),
            "seconds": (self._clock() - self._began, self._budget.seconds),
        }
        reached = (name for name, (used, most) in limits.items() if most is not None)
        return next((name for name in reached if _is_reached(*limits[name])), None)

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The sampler's own samples, until the budget is spent."""
        if self.spent is not None:
            return
        with reading(self._sampler.sample(prompts, settings)) as samples:
            for sample in samples:
                self._answers += 1
                self._tokens += reckoned(sample.text, sample.tokens)
                yield sample
                if self.spent is not None:
                    return

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The sampler's own completions, which no budget limits."""
        return self._sampler.complete(texts, max_new_tokens=max_new_tokens, stop=stop)


def _is_reached(used: float, most: float | None) -> bool:
    return most is not None and used >= most


def budgeted(config: Config, store: Store, sampler: Sampler, seed: int) -> BudgetedSampler:
    """The sampler within the limits of the settings for the watch of that seed.

    What its rewritings, and an interrupted part of it, spent counts.
    """
    limits = config.daemon
    tokens = sum(row.tokens for row in store.rewritings.read() if row.seed == seed)
    answers = 0
    last = next(iter(store.runs.recent(1)), None)
    if last is not None and last.status is RunStatus.INTERRUPTED and last.spec.seed == seed:
        answers, sampled = store.answers.spent(last.id)
        tokens += sampled
    budget = Budget(limits.watch_answers, limits.watch_tokens, limits.watch_seconds)
    return BudgetedSampler(sampler, budget, answers=answers, tokens=tokens)
