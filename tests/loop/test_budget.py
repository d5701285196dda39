"""What a day and a watch may spend is kept to the answer and the token, also through a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from ghostbust.config import Config
from ghostbust.errors import EndpointError, SpentError
from ghostbust.home import Home
from ghostbust.loop.budget import (
    REQUESTS,
    SAMPLES,
    TOKENS,
    Advance,
    Allowance,
    Budget,
    LimitedSampler,
    NotedSampler,
    noted,
)
from ghostbust.loop.signals import SystemClock
from ghostbust.operations.logs import Redactor
from ghostbust.records import Context, Ecosystem, Prompt, Score
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import BudgetSection, JobsSection
from ghostbust.store.store import Store
from tests.loop.conftest import ScriptedSampler
from tests.simulated import SimulatedClock

START = datetime(2026, 11, 28, 22, tzinfo=UTC)
PROMPTS = [
    Prompt(f"Plot readings {n}.", Context.CODE, Ecosystem.PYPI, f"family-{n}", "sensors")
    for n in range(20)
]
SETTINGS = SamplingSettings(samples_per_prompt=2, max_new_tokens=50, batch_size=8)
"""40 answers in all; those of the script have nine tokens each"""


class ScriptedModel(ScriptedSampler):
    """That also scores."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        return [Score(-1.0, 1) for _ in pairs]


def nothing(_: Prompt) -> str:
    return "I can't say."


def fail(_: Prompt) -> str:
    raise EndpointError("nobody answers")


@dataclass
class Day:
    """A day in Berlin that begins at 23:00, and a clock to move it."""

    store: Store
    clock: SimulatedClock

    def of(self, **limits: int) -> Allowance:
        config = Config(budget=BudgetSection(**limits), jobs=JobsSection(time_zone="Europe/Berlin"))
        return Allowance(self.store, config, self.clock)


@pytest.fixture
def day(store: Store) -> Day:
    return Day(store, SimulatedClock(START))


def spent(allowance: Allowance) -> tuple[float, float]:
    return allowance.spent()[SAMPLES], allowance.spent()[TOKENS]


def answers(sampler: LimitedSampler) -> int:
    return len(list(sampler.sample(PROMPTS, SETTINGS)))


# --- the day


def test_the_day_is_that_of_the_time_zone_and_ends_with_it(day: Day) -> None:
    today = day.of(samples=10)
    assert today.day_ends == START + timedelta(hours=1), "22:00 UTC is 23:00 in Berlin"
    assert today.take({SAMPLES: 10}) is not None
    assert today.take({SAMPLES: 1}) is None
    assert today.lacking({SAMPLES: 1}) == "the day's budget of samples is used up (10 of 10)"
    day.clock.sleep(3600)
    assert today.lacking({SAMPLES: 1}) is None
    day.clock.jump(-3600)
    assert today.take({SAMPLES: 1}) is None, "the clock was set back: that day is used up still"


@pytest.mark.parametrize(
    ("needs", "said"),
    [
        ({SAMPLES: 700, TOKENS: 2_000_000, REQUESTS: 1}, None),
        (
            {SAMPLES: 701, TOKENS: 1},
            "the day's budget of samples has 700 left of 1,000, and up to 701 may be needed",
        ),
        (
            {SAMPLES: 1, TOKENS: 2_345_678},
            "the day's budget of tokens is 2,000,000, and up to 2,345,678 may be needed:"
            " raise budget.tokens",
        ),
        ({"gpu_minutes": 0}, "the day's budget of gpu_minutes is used up (0 of 0)"),
    ],
)
def test_it_says_which_budget_is_not_enough(
    day: Day, needs: dict[str, float], said: str | None
) -> None:
    today = day.of(samples=1000, tokens=2_000_000, gpu_minutes=0)
    today.take({SAMPLES: 300})
    assert today.lacking(needs) == said


# --- a watch


@pytest.mark.parametrize(
    ("limits", "expected"),
    # a prompt is paid with two answers and a hundred tokens
    [
        ({}, 40),
        ({"samples": 7}, 6),
        ({"samples": 1}, 0),
        ({"tokens": 300}, 24),
        ({"tokens": 99}, 0),
    ],
)
def test_no_answer_is_asked_for_that_could_cost_too_much(
    day: Day, limits: dict[str, int], expected: int
) -> None:
    model, today = ScriptedSampler(nothing), day.of(**limits)
    assert answers(LimitedSampler(model, today)) == expected
    assert spent(today) == (expected, 9 * expected)
    assert (len(model.asked), model.open) == (expected / 2, 0)


@pytest.mark.parametrize(
    ("budget", "expected", "limit"),
    [
        (Budget(), 40, None),
        (Budget(answers=7), 7, "answers"),
        (Budget(tokens=30), 4, "tokens"),
        (Budget(seconds=5.5), 6, "seconds"),
        (Budget(answers=3, tokens=10), 2, "tokens"),
        (Budget(answers=99), 40, None),
        (Budget(answers=0), 0, "answers"),
        (Budget(tokens=-5), 0, "tokens"),
    ],
)
def test_a_watch_ends_at_its_first_limit(
    day: Day, budget: Budget, expected: int, limit: str | None
) -> None:
    """Each answer takes a second."""
    model, today = ScriptedSampler(nothing), day.of()
    limited = LimitedSampler(model, today).within(budget)
    count = 0
    for _ in limited.sample(PROMPTS, SETTINGS):
        count += 1
        day.clock.sleep(1)
    assert (count, limited.spent, model.open) == (expected, limit, 0)
    assert spent(today) == (expected, 9 * expected)
    assert limit is None or list(limited.sample(PROMPTS, SETTINGS)) == []
    assert limited.complete(["ab"], max_new_tokens=1, stop=()) == ["a"], "they have no limit"
    assert (limited.model, limited.adapter) == (model.model, model.adapter)


def test_what_is_cut_off_gives_back_what_it_did_not_use(day: Day) -> None:
    today = day.of(samples=40, tokens=10_000)
    samples: Any = LimitedSampler(ScriptedSampler(nothing), today).sample(PROMPTS, SETTINGS)
    list(islice(samples, 5))
    assert today.left()[SAMPLES] == 0, "taken before it is asked: a kill can't overspend"
    samples.close()
    assert spent(today) == (5, 45)
    with pytest.raises(EndpointError):
        answers(LimitedSampler(ScriptedSampler(fail), today))
    assert spent(today) == (5, 45)


def test_a_check_that_raises_ends_the_sampling(day: Day) -> None:
    model, today, checks = ScriptedSampler(nothing), day.of(), iter([None, None])
    limited = LimitedSampler(model, today, check=lambda: next(checks))
    with pytest.raises(RuntimeError):  # a StopIteration inside a generator
        answers(limited)
    assert (today.spent()[SAMPLES], model.open) == (3, 0)


def test_without_requests_left_nothing_is_asked_whose_names_could_not_be(day: Day) -> None:
    today = day.of(registry_requests=1)
    today.spend()
    with pytest.raises(SpentError, match="budget of registry_requests is used up"):
        today.spend()
    assert answers(LimitedSampler(ScriptedSampler(nothing), today, asks_live=True)) == 0
    assert answers(LimitedSampler(ScriptedSampler(nothing), today)) == 40


def test_what_is_asked_is_kept_out_of_the_log(day: Day) -> None:
    """Also what an error of the sampler says."""

    def quotes(prompt: Prompt) -> str:
        raise ValueError(f"can't answer {prompt.text}, after {prompt.turns[0]}")

    redactor = Redactor({})
    limited = LimitedSampler(ScriptedSampler(quotes), day.of(), hide=redactor.hide)
    text, earlier = "Plot the tides of the harbour.", "An earlier turn of the conversation."
    prompt = Prompt(text, Context.CODE, Ecosystem.PYPI, "tides", turns=(earlier, "Sure."))
    with pytest.raises(ValueError, match="can't answer") as failed:
        list(limited.sample([prompt], SETTINGS))
    assert redactor(str(failed.value)) == "can't answer [prompt], after [prompt]"
    question = "Rewrite this question in other words."
    limited.complete([question], max_new_tokens=1, stop=())
    assert redactor(f"can't go on with {question}") == "can't go on with [prompt]"


# --- a round


def late(day: Day) -> Allowance:
    """A minute before midnight, budgets which one answer uses up."""
    day.clock.sleep(59 * 60)
    return day.of(samples=1, tokens=1)


def test_every_answer_is_noted_whatever_is_left(day: Day) -> None:
    model, today = ScriptedModel(nothing), late(day)
    sampler = NotedSampler(model, today)
    assert (sampler.model, sampler.adapter) == ("made-up", None)
    assert len(list(sampler.sample(PROMPTS, SETTINGS))) == 40
    assert (spent(today), model.open) == ((40, 360), 0)


def test_at_no_time_is_less_noted_than_may_be_under_way(day: Day) -> None:
    """Eight answers are computed at once: they are paid before the first one is there."""
    today = late(day)
    samples = NotedSampler(ScriptedModel(nothing), today).sample(PROMPTS, SETTINGS)
    seen = [spent(today) for _ in samples]
    there = list(range(1, 41))
    assert [samples for samples, _ in seen] == [min(done + 8, 40) for done in there]
    assert [tokens for _, tokens in seen] == [9 * n + 50 * min(8, 40 - n) for n in there]


def test_a_round_that_is_cut_off_gives_back_what_did_not_come(day: Day) -> None:
    model, today = ScriptedModel(nothing), late(day)
    samples: Any = NotedSampler(model, today).sample(PROMPTS, SETTINGS)
    list(islice(samples, 5))
    samples.close()
    assert (spent(today), model.open) == ((5, 45), 0)


def test_what_comes_after_midnight_is_of_the_new_day(day: Day) -> None:
    today = late(day)
    samples = NotedSampler(ScriptedModel(nothing), today).sample(PROMPTS, SETTINGS)
    list(islice(samples, 10))
    first = today.day
    day.clock.sleep(120)
    assert len(list(samples)) == 30
    assert spent(today) == (30, 270)
    assert day.store.spending.of(first) == {SAMPLES: 10, TOKENS: 90}


def test_completions_are_answers_and_scores_are_none(day: Day) -> None:
    """A completion's tokens aren't counted: a quarter of its characters, at most what it may."""
    today = late(day)
    sampler = noted(ScriptedModel(nothing), today)
    assert sampler.complete(["", "a" * 400, "b" * 400], max_new_tokens=80, stop=()) == [
        "", "a" * 80, "b" * 80,
    ]  # fmt: skip
    assert spent(today) == (3, 1 + 20 + 20)
    assert len(sampler.score([("a", "b")])) == 1
    assert spent(today) == (3, 41)


def test_without_budgets_nothing_is_noted(store: Store) -> None:
    model = ScriptedModel(nothing)
    assert noted(model, None) is model
    with Advance(None, 3, 10) as advance:
        advance.came("x", 1, to_come=2)
    assert store._connection.rows("SELECT * FROM spent") == []


KILLED = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import Config
from ghostbust.loop.budget import Allowance, LimitedSampler, NotedSampler
from ghostbust.loop.signals import SystemClock
from ghostbust.store.store import Store
from tests.loop.test_budget import PROMPTS, SETTINGS, ScriptedModel, nothing

with Store.open(Path(sys.argv[1])) as store:
    sampler = {"noted": NotedSampler, "limited": LimitedSampler}[sys.argv[2]](
        ScriptedModel(nothing), Allowance(store, Config(), SystemClock())
    )
    for number, _ in enumerate(sampler.sample(PROMPTS, SETTINGS), 1):
        if number == 12:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("kind", "expected"), [("noted", (12 + 8, 12 * 9 + 8 * 50)), ("limited", (40, 40 * 50))]
)
def test_after_a_kill_what_was_paid_in_advance_is_spent(
    home: Home, kind: str, expected: tuple[int, int]
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.database), kind],
        cwd=Path(__file__).parents[2], timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL
    with Store.open(home.database) as store:
        assert spent(Allowance(store, Config(), SystemClock())) == expected
