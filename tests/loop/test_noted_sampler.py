"""What a round asks is noted to the answer and the token, also where it is cut off or killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.budget import SAMPLES, TOKENS, Advance, Allowance, NotedSampler, noted
from ghostbust.loop.signals import SystemClock
from ghostbust.records import Context, Ecosystem, Prompt, Score
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import BudgetSection
from ghostbust.store.store import Store
from tests.loop.conftest import ScriptedSampler
from tests.simulated import SimulatedClock

PROMPTS = [Prompt(f"Plot it {n}.", Context.CODE, Ecosystem.PYPI, f"f{n}") for n in range(20)]
SETTINGS = SamplingSettings(samples_per_prompt=2, max_new_tokens=50, batch_size=8)


class ScriptedModel(ScriptedSampler):
    """That also scores."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        return [Score(-1.0, 1) for _ in pairs]


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(datetime(2026, 11, 28, 23, 59, tzinfo=UTC))


@pytest.fixture
def today(store: Store, clock: SimulatedClock) -> Allowance:
    """The budgets of a day that is nearly over, and which one answer uses up."""
    return Allowance(store, Config(budget=BudgetSection(samples=1, tokens=1)), clock)


def spent(allowance: Allowance) -> tuple[float, float]:
    return allowance.spent()[SAMPLES], allowance.spent()[TOKENS]


def test_every_answer_is_noted_whatever_is_left(today: Allowance) -> None:
    """Those of the script have nine tokens each."""
    model = ScriptedModel(lambda _: "I can't say.")
    sampler = NotedSampler(model, today)
    assert (sampler.model, sampler.adapter) == ("made-up", None)
    assert len(list(sampler.sample(PROMPTS, SETTINGS))) == 40
    assert spent(today) == (40, 360)
    assert model.open == 0


def test_at_no_time_is_less_noted_than_may_be_in_the_making(today: Allowance) -> None:
    """Eight answers are computed at once: they are paid before the first one is there."""
    samples = NotedSampler(ScriptedModel(lambda _: "x"), today).sample(PROMPTS, SETTINGS)
    seen = [spent(today) for _ in samples]
    there = list(range(1, 41))
    assert [samples for samples, _ in seen] == [min(done + 8, 40) for done in there]
    assert [tokens for _, tokens in seen] == [9 * n + 50 * min(8, 40 - n) for n in there]


def test_what_is_cut_off_gives_back_what_did_not_come(today: Allowance) -> None:
    model = ScriptedModel(lambda _: "x")
    samples = NotedSampler(model, today).sample(PROMPTS, SETTINGS)
    list(islice(samples, 5))
    assert isinstance(samples, Iterator)
    samples.close()  # type: ignore[attr-defined]
    assert spent(today) == (5, 45)
    assert model.open == 0


def test_what_comes_after_midnight_is_of_the_new_day(
    today: Allowance, clock: SimulatedClock
) -> None:
    samples = NotedSampler(ScriptedModel(lambda _: "x"), today).sample(PROMPTS, SETTINGS)
    list(islice(samples, 10))
    first = today.day
    clock.sleep(120)
    assert len(list(samples)) == 30
    assert spent(today) == (30, 270)
    assert today._store.spending.of(first) == {SAMPLES: 10, TOKENS: 90}


def test_completions_are_answers_and_scores_are_none(today: Allowance) -> None:
    """A completion's tokens aren't counted: a quarter of its characters, at most what it may."""
    sampler = noted(ScriptedModel(lambda _: "x"), today)
    assert sampler.complete(["", "a" * 400, "b" * 400], max_new_tokens=80, stop=()) == [
        "", "a" * 80, "b" * 80,
    ]  # fmt: skip
    assert spent(today) == (3, 1 + 20 + 20)
    assert len(sampler.score([("a", "b")])) == 1
    assert spent(today) == (3, 41)


def test_without_budgets_nothing_is_noted(store: Store) -> None:
    model = ScriptedModel(lambda _: "x")
    assert noted(model, None) is model
    with Advance(None, 3, 10) as advance:
        advance.came("x", 1, to_come=2)
    assert store._connection.rows("SELECT * FROM spent") == []


KILLED = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import Config
from ghostbust.loop.budget import Allowance
from ghostbust.loop.signals import SystemClock
from ghostbust.loop.budget import NotedSampler
from ghostbust.store.store import Store
from tests.loop.test_noted_sampler import PROMPTS, SETTINGS, ScriptedModel

with Store.open(Path(sys.argv[1])) as store:
    today = Allowance(store, Config(), SystemClock())
    for number, _ in enumerate(NotedSampler(ScriptedModel(lambda _: "x"), today).sample(PROMPTS, SETTINGS), 1):
        if number == 12:
            os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: E501


def test_after_a_kill_what_was_in_the_making_counts_as_spent(home: Home) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(home.database)], cwd=root, timeout=60, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    with Store.open(home.database) as store:
        today = Allowance(store, Config(), SystemClock())
        assert spent(today) == (12 + 8, 12 * 9 + 8 * 50)
