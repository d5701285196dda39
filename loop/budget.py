"""BUDGETS: what a day and a watch may spend, and samplers that keep to it, to the answer.

Whoever is about to spend takes as much as it may need, and gives back what it didn't use. A process
that is killed in between has spent what it took, so no budget is ever overspent. An answer whose
tokens a server doesn't count costs a quarter of its characters.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

log = logging.getLogger(__name__)

SAMPLES: Final = "samples"
TOKENS: Final = "tokens"
REQUESTS: Final = "registry_requests"
MINUTES: Final = "gpu_minutes"
BUDGETS: Final = (SAMPLES, TOKENS, REQUESTS, MINUTES)
NOTHING: Final = 1e-9
"""minutes are fractions: less than this of a budget is nothing"""


class Allowance:
    """The day's budgets of the settings, and what the store says was spent of them.

    A store belongs to one thread, and so does this.
    """

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._store, self.clock = store, clock
        self._zone = ZoneInfo(config.jobs.time_zone)
        self.limits = limits_of(config)
        """what a day has of each budget that has a limit"""

    @property
    def day(self) -> date:
        """The day whose budgets are spent now."""
        return self.clock.now().astimezone(self._zone).date()

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
        return {name: max(0.0, self.limits.get(name, math.inf) - spent[name]) for name in BUDGETS}

    def lacking(self, needs: Mapping[str, float]) -> str | None:
        """Which budget may not be enough for the needs, in one line; None where all are.

        A budget of which nothing is left isn't enough for a need of 0 either.
        """
        left = self.left()
        for name, need in needs.items():
            if left[name] >= need and left[name] > NOTHING:
                continue
            limit = self.limits[name]
            if need > limit > 0:  # who sets 0 wants none, and needs no advice
                return (
                    f"the day's budget of {name} is {limit:,.12g}, and up to {need:,.12g} may be"
                    f" needed: raise budget.{name}"
                )
            if left[name] <= NOTHING:
                spent = limit - left[name]
                return f"the day's budget of {name} is used up ({spent:,g} of {limit:,g})"
            return (
                f"the day's budget of {name} has {left[name]:,.12g} left of {limit:,.12g}, and up"
                f" to {need:,.12g} may be needed"
            )
        return None

    def take(self, amounts: Mapping[str, float]) -> date | None:
        """Takes all of it from today's budgets, and returns the day; None: nothing is taken."""
        day = self.day
        return day if self._store.spending.take(day, dict(amounts), self.limits) else None

    def give_back(self, day: date, amounts: Mapping[str, float]) -> None:
        """Gives back what was taken on that day and not used."""
        unused = {name: -amount for name, amount in amounts.items() if amount}
        if unused:
            self._store.spending.take(day, unused, {})

    def note(self, amounts: Mapping[str, float]) -> date:
        """Adds to what is spent today, whatever is left, and returns the day."""
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


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one watch may still spend. None: no limit."""

    answers: int | None = None
    tokens: int | None = None
    seconds: float | None = None


def budget_of_watch(config: Config, store: Store, seed: int) -> Budget:
    """What the settings leave to the watch with that seed.

    Its rewritings and what an interrupted part of it spent are taken off.
    """
    limits = config.daemon
    tokens = sum(row.tokens for row in store.rewritings.read() if row.seed == seed)
    answers = 0
    last = next(iter(store.runs.recent(1)), None)
    if last is not None and last.status is RunStatus.INTERRUPTED and last.spec.seed == seed:
        answers, sampled = store.answers.spent(last.id)
        tokens += sampled
    return Budget(
        None if limits.watch_answers is None else limits.watch_answers - answers,
        None if limits.watch_tokens is None else limits.watch_tokens - tokens,
        limits.watch_seconds,
    )


@dataclass
class LimitedSampler:
    """The sampler of a watch. It keeps to the day's budgets and to the watch's own.

    It asks as many prompts as the day can pay all answers of, at their longest, then as many again,
    and ends quietly where a budget is used up. It limits no completions: a watch asks for none.

    The watch's own budget is looked at behind each answer. What is under way then is lost, such as
    the rest of a batch of a model that runs here.
    """

    sampler: Sampler
    allowance: Allowance
    asks_live: bool = False
    """names in answers may cost requests to registries: without one left, nothing is asked, since
    answers whose names can't be looked up would be lost"""
    budget: Budget = field(default_factory=Budget)
    """of the watch; its seconds begin now"""
    check: Callable[[], None] = lambda: None
    """called before each sample is yielded; what it raises ends the sampling"""
    hide: Callable[[Iterable[str]], None] = lambda _: None
    """gets the texts that are about to be asked, to keep them out of the log"""

    def __post_init__(self) -> None:
        self.model, self.adapter = self.sampler.model, self.sampler.adapter
        self._answers = self._tokens = 0
        self._began = self.allowance.clock.monotonic()

    def within(self, budget: Budget) -> LimitedSampler:
        """The same within this budget."""
        return replace(self, budget=budget)

    @property
    def spent(self) -> str | None:
        """Which limit of the watch is reached: ``answers``, ``tokens`` or ``seconds``, or None."""
        used = {
            "answers": (self._answers, self.budget.answers),
            "tokens": (self._tokens, self.budget.tokens),
            "seconds": (self.allowance.clock.monotonic() - self._began, self.budget.seconds),
        }
        return next(
            (name for name, (n, most) in used.items() if most is not None and n >= most), None
        )

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The sampler's own samples, until a budget is used up."""
        one = price(settings.samples_per_prompt, settings.max_new_tokens)
        waiting = list(prompts)
        while waiting and self.spent is None:
            count = self._affordable(one, len(waiting))
            unused = {name: count * amount for name, amount in one.items()}
            day = self.allowance.take(unused) if count else None
            if day is None:
                log.info(
                    "watch: %d prompts aren't asked: a budget of the day is used up", len(waiting)
                )
                return
            asked, waiting = waiting[:count], waiting[count:]
            self.hide(text for prompt in asked for text in (prompt.text, *prompt.turns))
            try:
                with reading(self.sampler.sample(asked, settings)) as samples:
                    for sample in samples:
                        tokens = reckoned(sample.text, sample.tokens)
                        unused[SAMPLES] -= 1
                        unused[TOKENS] -= min(tokens, settings.max_new_tokens)
                        self._answers += 1
                        self._tokens += tokens
                        self.check()
                        yield sample
                        if self.spent is not None:
                            return
            finally:
                self.allowance.give_back(day, unused)

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The sampler's own completions."""
        self.hide(texts)
        return self.sampler.complete(texts, max_new_tokens=max_new_tokens, stop=stop)

    @property
    def chats(self) -> bool:
        """As the sampler."""
        return self.sampler.chats

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """The sampler's own greedy answers."""
        self.hide(messages)
        return self.sampler.answer(messages, max_new_tokens=max_new_tokens)

    def _affordable(self, one: Mapping[str, float], most: int) -> int:
        """How many prompts of that price can be asked now, at most ``most``."""
        left = self.allowance.left()
        if self.asks_live and left[REQUESTS] < 1:
            return 0
        return math.floor(min(most, *(left[name] / one[name] for name in one)))


class Model(Sampler, Protocol):
    """A sampler that also scores texts, as the gates want it."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The score of each pair's second text as the continuation of its first."""
        ...


class Advance:
    """Answers that are under way, paid in advance with all the tokens that they may have.

    It is used in a ``with`` block, which gives back what didn't come. A process that is killed
    inside has spent it: at most so many answers were asked for, and nobody knows how far they got.
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

        ``tokens``: 0 where they aren't counted.
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
    """A model of a round. What it answers is noted in the day's budgets, whatever is left of them.

    A round that has begun is not broken off: `round_start` says beforehand whether the budgets are
    enough for all that it may ask.
    """

    def __init__(self, model: Model, allowance: Allowance) -> None:
        self._model, self._allowance = model, allowance
        self.model, self.adapter = model.model, model.adapter

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
            return self._noted(done, advance)

    @property
    def chats(self) -> bool:
        """As the model."""
        return self._model.chats

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """The model's own greedy answers, noted as completions are."""
        with Advance(self._allowance, len(messages), max_new_tokens) as advance:
            done = self._model.answer(messages, max_new_tokens=max_new_tokens)
            return self._noted(done, advance)

    @staticmethod
    def _noted(done: list[str], advance: Advance) -> list[str]:
        for number, text in enumerate(done, 1):
            advance.came(text, 0, to_come=len(done) - number)
        return done

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The model's own scores, for which it answers nothing."""
        return self._model.score(pairs)


def noted(model: Model, allowance: Allowance | None) -> Model:
    """The model, its answers noted in the day's budgets if the session keeps to them."""
    return model if allowance is None else NotedSampler(model, allowance)
