"""What a round asks of a model, noted in the day's budgets as it is asked.

A round that has begun is not broken off, so nothing here looks at what is left: `round_needs.py`
says beforehand whether there is enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from types import TracebackType
from typing import Protocol, Self

from ghostbust.loop.allowance import Allowance, price
from ghostbust.records import Prompt, Sample, Score
from ghostbust.samplers.interface import Sampler, SamplingSettings, reading, reckoned


class Model(Sampler, Protocol):
    """A sampler that also scores texts, as the gates want it."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The score of each pair's second text as the continuation of its first."""
        ...


class Advance:
    """Answers that may be in the making, paid in advance with all the tokens that they may have.

    Inside ``with``; behind it, what didn't come is given back. A process that is killed inside has
    spent it: at most so many answers were asked for, and nobody knows how far they got.
    """

    def __init__(self, allowance: Allowance | None, answers: int, most_tokens: int) -> None:
        """``allowance``: None notes nothing."""
        self._allowance, self._answers, self._most = allowance, answers, most_tokens
        self._day: date | None = None

    def __enter__(self) -> Self:
        if self._allowance is not None:
            self._day = self._allowance.note(price(self._answers, self._most))
        return self

    def came(self, text: str, tokens: int, *, to_come: int) -> None:
        """Notes an answer, and keeps no more paid in advance than are ``to_come``.

        One whose tokens aren't counted (0) costs a quarter of its characters.
        """
        if self._allowance is None or self._day is None:
            return
        self._allowance.note(price(1, min(reckoned(text, tokens), self._most)))
        kept = min(self._answers, to_come)
        self._allowance.give_back(self._day, price(self._answers - kept, self._most))
        self._answers = kept

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._allowance is not None and self._day is not None:
            self._allowance.give_back(self._day, price(self._answers, self._most))


class NotedSampler:
    """A model in this process whose answers are noted, whatever is left of the day's budgets."""

    def __init__(self, model: Model, allowance: Allowance) -> None:
        self._model, self._allowance = model, allowance
        self.model = model.model
        self.adapter = model.adapter

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The model's own samples; as many are paid in advance as it computes at once."""
        to_come = len(prompts) * settings.samples_per_prompt
        at_once = min(to_come, max(settings.batch_size, settings.samples_per_prompt))
        with (
            Advance(self._allowance, at_once, settings.max_new_tokens) as advance,
            reading(self._model.sample(prompts, settings)) as samples,
        ):
            for sample in samples:
                to_come -= 1
                advance.came(sample.text, sample.tokens, to_come=to_come)
                yield sample

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The model's own completions, each of which is an answer; their tokens aren't counted."""
        with Advance(self._allowance, len(texts), max_new_tokens) as advance:
            done = self._model.complete(texts, max_new_tokens=max_new_tokens, stop=stop)
            for number, text in enumerate(done, 1):
                advance.came(text, 0, to_come=len(texts) - number)
        return done

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The model's own scores, for which it answers nothing."""
        return self._model.score(pairs)


def noted(model: Model, allowance: Allowance | None) -> Model:
    """The model, its answers noted where somebody counts."""
    return model if allowance is None else NotedSampler(model, allowance)
