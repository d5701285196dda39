"""Tasks that a model rewrites: by whom, at what cost, and which of them are asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import EndpointError
from ghostbust.loop.discovery.forms import AGAIN
from ghostbust.loop.discovery.plan import Chosen, choose_prompts
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, side_of
from ghostbust.records import Prompt, Side
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.loop.choosing import RULES, WRITTEN, choose, nothing

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, ScriptedSampler


def test_a_model_that_cannot_rewrite_costs_tokens_and_the_parent_is_reworded(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rules = replace(RULES, budget=80, explore_share=0)
    chosen = choose(store, tasks, scripted(nothing), rules)
    failed = [row for row in chosen.rewritings if row.child is None]
    assert failed
    assert {row.tokens for row in failed} == {9}
    assert {row.operator for row in failed} <= {"paraphrase", "narrower", "broader", "neighbour"}
    reworded = {(row.parent, row.operator) for row in chosen.rewritings}
    assert all({(row.parent, "reword"), (row.parent, AGAIN)} & reworded for row in failed), (
        "something else is asked in its place"
    )


def test_another_model_rewrites(
    store: Store,
    tasks: list[Task],
    watcher: Watcher,
    scripted: MakeSampler,
    fluent: ScriptedSampler,
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rules, watched = replace(RULES, budget=80, explore_share=0), scripted(nothing, "round-0001")
    chosen = choose_prompts(store, tasks, watched, rules, 5, rewriter=fluent)
    written = {row.child for row in chosen.rewritings if row.operator in WRITTEN and row.child}
    assert written <= {prompt.id for prompt in chosen.prompts}
    assert len(written) >= 5
    assert fluent.asked
    assert not watched.asked
    assert {(row.model, row.adapter) for row in chosen.rewritings} == {("made-up", "round-0001")}


def test_where_another_model_gives_no_answer_tasks_are_reworded(
    store: Store,
    tasks: list[Task],
    watcher: Watcher,
    scripted: MakeSampler,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def out_of_reach(_: Prompt) -> str:
        raise EndpointError("no answer of the server")

    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rules, down = replace(RULES, budget=40, explore_share=0), scripted(out_of_reach)
    chosen = choose_prompts(store, tasks, scripted(nothing), rules, 5, rewriter=down)
    assert len(chosen.prompts) == 40
    assert not {row.operator for row in chosen.rewritings} & set(WRITTEN)
    assert len(down.asked) == 1, "not again and again in one choice"
    assert caplog.messages == [
        "discovery.rewriter: no answer of the server; tasks are reworded by rule instead"
    ]
    with pytest.raises(EndpointError):
        choose_prompts(store, tasks, down, rules, 5)


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
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    secret = "Gather what sensors told in the valley and draw a chart of its readings."
    family = next(f"f{n}" for n in range(99) if side_of(f"f{n}", 0.25) is Side.HOLDOUT)
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rewriter = scripted(lambda _: secret)
    rules = replace(RULES, budget=80, explore_share=0)
    chosen = choose(store, [*tasks, Task(family, secret)], rewriter, rules)
    assert rewriter.asked
    assert not any(prompt.operator in WRITTEN for prompt in chosen.prompts)
