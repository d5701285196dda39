"""The day's budgets are kept to the answer and the token, also where the sampling is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import EndpointError, SpentError
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance, AllowedSampler
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import BudgetSection, JobsSection
from ghostbust.store.store import Store
from tests.simulated import SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

START = datetime(2026, 11, 28, 22, tzinfo=UTC)
PROMPTS = [
    Prompt(f"Plot readings {n}.", Context.CODE, Ecosystem.PYPI, f"family-{n}", "sensors")
    for n in range(20)
]
SETTINGS = SamplingSettings(samples_per_prompt=2, max_new_tokens=50)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


def allowance(store: Store, clock: SimulatedClock, **limits: int) -> Allowance:
    jobs = JobsSection(time_zone="Europe/Berlin")
    return Allowance(store, Config(budget=BudgetSection(**limits), jobs=jobs), clock)


def answers(sampler: AllowedSampler) -> int:
    return len(list(sampler.sample(PROMPTS, SETTINGS)))


@pytest.mark.parametrize(
    ("limits", "expected"),
    # each prompt has two answers of nine tokens and is paid with a hundred
    [
        ({}, 40),
        ({"samples": 7}, 6),
        ({"samples": 1}, 0),
        ({"tokens": 300}, 24),
        ({"tokens": 99}, 0),
    ],
)  # fmt: skip
def test_no_answer_is_asked_for_that_could_cost_too_much(
    store: Store,
    clock: SimulatedClock,
    scripted: MakeSampler,
    limits: dict[str, int],
    expected: int,
) -> None:
    model = scripted(lambda _: "I can't say.")
    today = allowance(store, clock, **limits)
    assert answers(AllowedSampler(model, today, asks_live=False)) == expected
    assert today.spent() == pytest.approx(
        {SAMPLES: expected, TOKENS: 9 * expected, REQUESTS: 0, "gpu_minutes": 0}
    )
    assert len(model.asked) == expected / 2
    assert model.open == 0


def test_what_is_cut_off_gives_back_what_it_did_not_use(
    store: Store, clock: SimulatedClock, scripted: MakeSampler
) -> None:
    today = allowance(store, clock, samples=40, tokens=10_000)
    samples: Iterator[object] = AllowedSampler(
        scripted(lambda _: "x"), today, asks_live=False
    ).sample(PROMPTS, SETTINGS)
    list(islice(samples, 5))
    assert today.left()[SAMPLES] == 0, "taken before it is asked: a kill can't overspend"
    samples.close()  # type: ignore[attr-defined]
    assert today.spent()[SAMPLES] == 5
    assert today.spent()[TOKENS] == 45

    def fail(_: Prompt) -> str:
        raise EndpointError("nobody answers")

    with pytest.raises(EndpointError):
        answers(AllowedSampler(scripted(fail), today, asks_live=False))
    assert today.spent()[SAMPLES] == 5


def test_without_requests_left_nothing_is_asked_whose_names_could_not_be(
    store: Store, clock: SimulatedClock, scripted: MakeSampler
) -> None:
    today = allowance(store, clock, registry_requests=1)
    today.spend()
    with pytest.raises(SpentError, match="budget of registry_requests is used up"):
        today.spend()
    assert answers(AllowedSampler(scripted(lambda _: "x"), today, asks_live=True)) == 0
    assert answers(AllowedSampler(scripted(lambda _: "x"), today, asks_live=False)) == 40


def test_the_day_is_that_of_the_time_zone_and_ends_with_it(
    store: Store, clock: SimulatedClock
) -> None:
    today = allowance(store, clock, samples=10)
    assert today.day_ends == START + timedelta(hours=1), "22:00 UTC is 23:00 in Berlin"
    assert today.take({SAMPLES: 10}) is not None
    assert today.take({SAMPLES: 1}) is None
    assert today.lacking({SAMPLES: 1}) == "the day's budget of samples is used up (10 of 10)"
    clock.sleep(3600)
    assert today.lacking({SAMPLES: 1}) is None
    clock.jump(-3600)
    assert today.take({SAMPLES: 1}) is None, "the clock was set back: that day is used up still"
