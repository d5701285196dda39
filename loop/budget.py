"""The limits of one watch: answers, tokens, seconds."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Final, Protocol, Self
from zoneinfo import ZoneInfo

from ghostbust.config import Config
from ghostbust.errors import SpentError
from ghostbust.loop.signals import Clock
from ghostbust.records import Prompt, Sample, Score
from ghostbust.samplers.interface import Sampler, SamplingSettings, reading, reckoned
from ghostbust.store.runs import RunStatus
from ghostbust.store.store import Store


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


# --- allowance
# The budgets of a day: what is left of them, and how some is taken.
#
# Whoever is about to spend takes as much as it may need, and gives back what it didn't use. A
# process
# that is killed in between has spent what it took, so a budget is never overspent.

SAMPLES: Final = "samples"
TOKENS: Final = "tokens"
REQUESTS: Final = "registry_requests"
MINUTES: Final = "gpu_minutes"
BUDGETS: Final = (SAMPLES, TOKENS, REQUESTS, MINUTES)
NOTHING: Final = 1e-9
"""of a budget that isn't counted in whole units, less than this is nothing"""


class Allowance:
    """The day's budgets of the settings, as noted in a store. For the store's thread."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._zone = ZoneInfo(config.jobs.time_zone)
        self._limits = limits_of(config)

    @property
    def limits(self) -> Mapping[str, float]:
        """Of each budget that has one, what a day has."""
        return self._limits

    @property
    def day(self) -> date:
        """The day whose budgets are spent now."""
        return self._clock.now().astimezone(self._zone).date()

    @property
    def day_ends(self) -> datetime:
        """When the next day's budgets begin, UTC."""
        tomorrow = self.day + timedelta(days=1)
        begins = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=self._zone)
        return begins.astimezone(UTC)

    def spent(self) -> dict[str, float]:
        """What was spent of each budget today."""
        return dict.fromkeys(BUDGETS, 0.0) | self._store.spending.of(self.day)

    def left(self) -> dict[str, float]:
        """What is left of each budget today; infinite where there is no limit."""
        spent = self.spent()
        return {name: max(0.0, self._limits.get(name, math.inf) - spent[name]) for name in BUDGETS}

    def lacking(self, needs: Mapping[str, float]) -> str | None:
        """Which budget has too little left for the needs, in one line; None where none has."""
        left = self.left()
        for name, need in needs.items():
            if left[name] < need or left[name] <= NOTHING:
                spent, limit = self._limits[name] - left[name], self._limits[name]
                return f"the day's budget of {name} is used up ({spent:,g} of {limit:,g})"
        return None

    def take(self, amounts: Mapping[str, float]) -> date | None:
        """Takes all of it from today's budgets, and returns the day; None: nothing is taken."""
        day = self.day
        return day if self._store.spending.take(day, dict(amounts), self._limits) else None

    def give_back(self, day: date, amounts: Mapping[str, float]) -> None:
        """Gives back what was taken on that day and not used."""
        unused = {name: -amount for name, amount in amounts.items() if amount}
        if unused:
            self._store.spending.take(day, unused, {})

    def note(self, amounts: Mapping[str, float]) -> date:
        """Notes what is spent, whatever is left, and returns the day that it is noted with."""
        day = self.day
        self._store.spending.take(day, dict(amounts), {})
        return day

    def spend(self) -> None:
        """Takes one request to a registry. Raises SpentError where none is left today."""
        if self.take({REQUESTS: 1}) is None:
            raise SpentError("not asked: the day's budget of registry_requests is used up")


def price(answers: int, tokens: int) -> dict[str, float]:
    """What so many answers of so many tokens each take from the budgets."""
    return {SAMPLES: answers, TOKENS: answers * tokens}


def limits_of(config: Config) -> dict[str, float]:
    """The day's budgets that have a limit."""
    budget = config.budget
    limits = {
        SAMPLES: budget.samples,
        TOKENS: budget.tokens,
        REQUESTS: budget.registry_requests,
        MINUTES: budget.gpu_minutes,
    }
    return {name: float(limit) for name, limit in limits.items() if limit is not None}


# --- allowed_sampler
# A sampler that keeps to the day's budgets, to the answer and the token.

log = logging.getLogger(__name__)


class AllowedSampler:
    """Asks as many prompts as all their answers can be paid for, then as many again, then ends.

    An answer is paid for with as many tokens as it may have, and what it didn't need is given back
    once it is there. One whose tokens a server doesn't count costs a quarter of its characters.
    """

    def __init__(self, sampler: Sampler, allowance: Allowance, *, asks_live: bool) -> None:
        """``asks_live``: names in answers may cost requests to registries, so there must be some.

        Answers whose names could not be asked for would be lost.
        """
        self._sampler, self._allowance, self._asks_live = sampler, allowance, asks_live
        self.model = sampler.model
        self.adapter = sampler.adapter

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The sampler's own samples, of as many prompts as the day's budgets allow."""
        waiting = list(prompts)
        while waiting:
            count = self._affordable(settings, len(waiting))
            day = None
            if count:
                day = self._allowance.take(_price(settings, count))
            if day is None:
                log.info("watch: %d prompts aren't asked: a budget of the day is used up",
                         len(waiting))  # fmt: skip
                return
            asked, waiting = waiting[:count], waiting[count:]
            unused = _price(settings, count)
            try:
                with reading(self._sampler.sample(asked, settings)) as samples:
                    for sample in samples:
                        tokens = reckoned(sample.text, sample.tokens)
                        unused[SAMPLES] -= 1
                        unused[TOKENS] -= min(tokens, settings.max_new_tokens)
                        yield sample
            finally:
                self._allowance.give_back(day, unused)

    def _affordable(self, settings: SamplingSettings, most: int) -> int:
        """How many prompts can be asked now, at most ``most``."""
        left = self._allowance.left()
        if self._asks_live and left[REQUESTS] < 1:
            return 0
        one = _price(settings, 1)
        shares = (left[name] / one[name] for name in (SAMPLES, TOKENS))
        return math.floor(min(most, *shares))

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The sampler's own completions, which no watch asks for and no budget limits."""
        return self._sampler.complete(texts, max_new_tokens=max_new_tokens, stop=stop)


def _price(settings: SamplingSettings, prompts: int) -> dict[str, float]:
    """What the answers to so many prompts cost at most."""
    return price(prompts * settings.samples_per_prompt, settings.max_new_tokens)


# --- noted_sampler
# What a round asks of a model, noted in the day's budgets as it is asked.
#
# A round that has begun is not broken off, so nothing here looks at what is left: `round_needs.py`
# says beforehand whether there is enough.


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
