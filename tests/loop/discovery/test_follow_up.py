"""What is written from prompts that paid: nothing twice, nothing like a held-out task."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import EndpointError
from ghostbust.loop.discovery.follow_up import Follower, parents_of, rewritten_tasks
from ghostbust.loop.discovery.operators import EVERY
from ghostbust.loop.discovery.plan import Chosen, choose_prompts
from ghostbust.loop.discovery.pool import AGAIN, PATIENCE, Bandit, Pool, Record, read_pool
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, side_of, split
from ghostbust.records import Context, Ecosystem, Prompt, Side
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.loop.choosing import RULES, WRITTEN, choose, nothing

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, ScriptedSampler


TASKS = [Task(f"t{n}", f"Chart the tides at pier {n}.", f"d{n % 2}") for n in range(4)]
PROMPTS = {p.id: p for p in (task.prompt(Context.HELPS) for task in TASKS)}
KEYS = list(PROMPTS)


def pool(children: dict[str, list[str]] | None = None, **records: Record) -> Pool:
    """Prompts 0 to 3 with the records ``p0`` to ``p3``."""
    known = {KEYS[int(name[1:])]: record for name, record in records.items()}
    return Pool(PROMPTS, known, Bandit({}), children or {}, frozenset(), frozenset(PROMPTS))


def paid(reward: float, cost: float = 0.1) -> Record:
    return Record(reward, cost, 1, 0, (True,), True)


def firsts(one: Pool, *, blind: bool = False) -> Counter[str]:
    """Which prompt of the domain d0 came first, over 200 seeds."""
    found: Counter[str] = Counter()
    for seed in range(200):
        ordered = parents_of(one, random.Random(seed), 2, blind=blind)
        found[ordered["d0"][0].prompt.id] += 1
    return found


def test_only_active_prompts_are_followed_up_by_domain() -> None:
    retired = Record(5, 0.1, PATIENCE + 1, 0, (False,) * PATIENCE, True)
    found = parents_of(pool(p0=paid(1), p1=paid(1), p2=retired), random.Random(1), 2, blind=False)
    assert {d: [p.prompt.id for p in own] for d, own in found.items()} == {
        "d0": [KEYS[0]], "d1": [KEYS[1]],
    }  # fmt: skip


def test_what_paid_more_comes_first_mostly_and_blindly_as_often_as_not() -> None:
    one = pool(p0=paid(4), p2=paid(0.2))
    assert firsts(one)[KEYS[0]] > 160
    assert 70 < firsts(one, blind=True)[KEYS[0]] < 130


def test_helpings_of_children_and_children_that_paid_nothing_put_it_back() -> None:
    children = {KEYS[0]: [f"gone-{n}" for n in range(6)]}
    assert firsts(pool(children, p0=paid(1), p2=paid(1)))[KEYS[0]] < 70
    poor = {KEYS[0]: [KEYS[1]]}
    costly = Record(0, 3.0, 20, 0, (False,), False)
    assert firsts(pool(poor, p0=paid(1), p1=costly, p2=paid(1)))[KEYS[0]] < 70


def test_a_rewriting_is_of_the_task_in_any_wording() -> None:
    used = frozenset({(KEYS[0], "broader"), ("not at hand", "broader")})
    one = Pool(PROMPTS, {}, Bandit({}), {}, used, frozenset())
    assert rewritten_tasks(one) == {(TASKS[0].text, "broader")}


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


def test_a_model_that_cannot_rewrite_costs_tokens_and_the_parent_is_reworded(
    elicited: Store, tasks: list[Task], scripted: MakeSampler
) -> None:
    rules = replace(RULES, budget=80, explore_share=0)
    chosen = choose(elicited, tasks, scripted(nothing), rules)
    failed = [row for row in chosen.rewritings if row.child is None]
    assert failed
    assert {row.tokens for row in failed} == {9}
    assert {row.operator for row in failed} <= {"paraphrase", "narrower", "broader", "neighbour"}
    reworded = {(row.parent, row.operator) for row in chosen.rewritings}
    assert all({(row.parent, "reword"), (row.parent, AGAIN)} & reworded for row in failed), (
        "something else is asked in its place"
    )


def test_another_model_rewrites(
    elicited: Store,
    tasks: list[Task],
    scripted: MakeSampler,
    fluent: ScriptedSampler,
) -> None:
    rules, watched = replace(RULES, budget=80, explore_share=0), scripted(nothing, "round-0001")
    chosen = choose_prompts(elicited, tasks, watched, rules, 5, rewriter=fluent)
    written = {row.child for row in chosen.rewritings if row.operator in WRITTEN and row.child}
    assert written <= {prompt.id for prompt in chosen.prompts}
    assert len(written) >= 5
    assert fluent.asked
    assert not watched.asked
    assert {(row.model, row.adapter) for row in chosen.rewritings} == {("made-up", "round-0001")}


def test_where_another_model_gives_no_answer_tasks_are_reworded(
    elicited: Store,
    tasks: list[Task],
    scripted: MakeSampler,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def out_of_reach(_: Prompt) -> str:
        raise EndpointError("no answer of the server")

    rules, down = replace(RULES, budget=40, explore_share=0), scripted(out_of_reach)
    chosen = choose_prompts(elicited, tasks, scripted(nothing), rules, 5, rewriter=down)
    assert len(chosen.prompts) == 40
    assert not {row.operator for row in chosen.rewritings} & set(WRITTEN)
    assert len(down.asked) == 1, "not again and again in one choice"
    assert caplog.messages == [
        "discovery.rewriter: no answer of the server; tasks are reworded by rule instead"
    ]
    with pytest.raises(EndpointError):
        choose_prompts(elicited, tasks, down, rules, 5)


def test_no_rewriting_is_asked_for_twice(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks[:4])), RunKind.SWEEP)
    rewriter = scripted(nothing)
    rules = replace(RULES, budget=60, explore_share=0, variants_per_prompt=40)
    for seed in (1, 2, 3):
        chosen = choose(store, tasks[:4], rewriter, rules, seed)
        store.rewritings.add(chosen.rewritings)
    assert rewriter.asked
    assert max(Counter(prompt.text for prompt in rewriter.asked).values()) == 1


def test_near_duplicates_of_anything_known_are_never_asked(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    same = "Gather what sensors told in the valley and draw a chart of its readings."
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rules = replace(RULES, budget=80, explore_share=0)
    written = [
        prompt
        for seed in (1, 2)
        for prompt in _asked(
            store, watcher, choose(store, tasks, scripted(lambda _: same), rules, seed)
        )
        if prompt.operator in WRITTEN
    ]
    assert len(written) == 1


def _asked(store: Store, watcher: Watcher, chosen: Chosen) -> tuple[Prompt, ...]:
    store.rewritings.add(chosen.rewritings)
    watcher.prompts(chosen.prompts, RunKind.WATCH)
    return chosen.prompts


def test_a_rewriting_is_never_a_held_out_task_in_disguise(
    elicited: Store, tasks: list[Task], scripted: MakeSampler
) -> None:
    secret = "Gather what sensors told in the valley and draw a chart of its readings."
    family = next(f"f{n}" for n in range(99) if side_of(f"f{n}", 0.25) is Side.HOLDOUT)
    rewriter = scripted(lambda _: secret)
    rules = replace(RULES, budget=80, explore_share=0)
    chosen = choose(elicited, [*tasks, Task(family, secret)], rewriter, rules)
    assert rewriter.asked
    assert not any(prompt.operator in WRITTEN for prompt in chosen.prompts)
