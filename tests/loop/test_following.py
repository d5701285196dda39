"""One choice under way: what is used up isn't used again, and nothing is chosen twice."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.discovery.follow_up import Follower
from ghostbust.loop.discovery.forms import AGAIN, EVERY
from ghostbust.loop.discovery.pool import read_pool
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, split
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler


def one_ghost(prompt: Prompt) -> str:
    return f"1. zz-ghost-{prompt.id}\n"


@pytest.fixture
def train(tasks: list[Task]) -> list[Task]:
    return split(tasks, 0.25)[0][:5]


class Follow:
    """Makes followers of what the store knows by then."""

    def __init__(
        self, store: Store, train: list[Task], judge: Judge, scripted: MakeSampler
    ) -> None:
        self.store, self.train, self.model = store, train, scripted(one_ghost)
        self._judge = judge

    def __call__(self, variants: int = 2) -> Follower:
        pool = read_pool(self.store, self.train, adapter=None, holdout_share=0.25, name_holdout=0)
        return Follower(
            self.store, pool, self.train, self.model, random.Random(1), seed=1, variants=variants,
            ecosystems=(Ecosystem.PYPI,), blind=False,
        )  # fmt: skip

    def ask(self, *prompts: Prompt) -> None:
        settings = SamplingSettings(seed=7)
        Watcher(self.store, self.model, self._judge, settings).prompts(prompts, RunKind.WATCH)


@pytest.fixture
def follow(store: Store, train: list[Task], judge: Judge, scripted: MakeSampler) -> Follow:
    return Follow(store, train, judge, scripted)


def test_fresh_tasks_are_asked_once_in_each_wording_and_then_no_more(follow: Follow) -> None:
    follower = follow()
    follower.follow(1000)
    assert len(follower.chosen) == len(follow.train) * len(EVERY)
    assert not follower.rewritings


def test_a_prompt_gives_no_more_than_its_variants(follow: Follow) -> None:
    prompts = list(first_prompts(follow.train))
    follow.ask(*prompts)
    for variants in (1, 3):
        follower = follow(variants)
        follower.follow(1000)
        made = Counter(p.parent for p in follower.chosen.values() if p.parent)
        assert max(made.values()) == variants
        assert set(made) <= {prompt.id for prompt in prompts}


def test_what_was_asked_before_is_asked_again_only_as_that(follow: Follow) -> None:
    prompts = list(first_prompts(follow.train))
    follow.ask(*prompts)
    follower = follow()
    follower.follow(1000)
    old = {prompt.id for prompt in prompts} & set(follower.chosen)
    again = [row for row in follower.rewritings if row.operator == AGAIN]
    assert old == {row.child for row in again}
    assert all(row.child == row.parent for row in again)


def test_a_follow_up_quotes_an_answer_that_is_logged(follow: Follow) -> None:
    prompts = [task.prompt(Context.HELPS) for task in follow.train]
    follow.ask(*prompts)
    follower = follow(variants=20)
    follower.follow(1000)
    turned = [prompt for prompt in follower.chosen.values() if prompt.turns]
    assert turned
    texts = {prompt.text: one_ghost(prompt) for prompt in prompts}
    assert all(texts[prompt.turns[0]] == prompt.turns[1] for prompt in turned)


def test_what_is_taken_twice_is_chosen_once(follow: Follow) -> None:
    follower, prompt = follow(), follow.train[0].prompt(Context.CODE)
    follower.take(prompt)
    follower.take(prompt)
    assert list(follower.chosen) == [prompt.id]
    follower.retry_dropped()
    assert len(follower.chosen) == 1, "nothing was dropped"
