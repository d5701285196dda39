"""A watch ends when its budget is spent, and closes what it was reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.budget import Budget, BudgetedSampler
from ghostbust.prompts import Task
from ghostbust.records import Context
from ghostbust.samplers.interface import SamplingSettings

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

SETTINGS = SamplingSettings()


@pytest.mark.parametrize(
    ("budget", "answers", "spent"),
    [
        (Budget(), 40, None),
        (Budget(answers=7), 7, "answers"),
        (Budget(tokens=30), 4, "tokens"),
        (Budget(seconds=5.5), 6, "seconds"),
        (Budget(answers=3, tokens=10), 2, "tokens"),
        (Budget(answers=99), 40, None),
    ],
)
def test_it_ends_at_the_first_limit(
    budget: Budget, answers: int, spent: str | None, scripted: MakeSampler, tasks: list[Task]
) -> None:
    """Each answer has nine tokens and takes a second."""
    model, clock = scripted(lambda _: "pip install rich"), [0.0]

    def now() -> float:
        return clock[0]

    limited = BudgetedSampler(model, budget, clock=now)
    heard = []
    for sample in limited.sample([task.prompt(Context.CODE) for task in tasks], SETTINGS):
        heard.append(sample)
        clock[0] += 1
    assert len(heard) == answers
    assert limited.spent == spent
    assert model.open == 0


def test_what_was_spent_before_counts(scripted: MakeSampler, tasks: list[Task]) -> None:
    model = scripted(lambda _: "pip install rich")
    prompts = [task.prompt(Context.CODE) for task in tasks]
    limited = BudgetedSampler(model, Budget(tokens=30), tokens=20)
    assert len(list(limited.sample(prompts, SETTINGS))) == 2
    assert list(limited.sample(prompts, SETTINGS)) == []
    over = BudgetedSampler(model, Budget(answers=5), answers=5)
    model.asked.clear()
    assert list(over.sample(prompts, SETTINGS)) == []
    assert not model.asked
    assert over.complete(["ab"], max_new_tokens=1, stop=()) == ["a"]
    assert (over.model, over.adapter) == (model.model, model.adapter)
