"""What is asked next: seeded, on the training side, and never nothing while there are tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery import choose_prompts
from ghostbust.loop.rewriting import OPERATORS, REWORD, take_apart
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, side_of
from ghostbust.records import Context, Prompt, Side
from ghostbust.registries.judge import Judge
from ghostbust.reserved import suite_family
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store import RunKind, Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, Say, ScriptedSampler

HOLDOUT = 0.25
VARIANT = "Gather what sensors told in the valley and draw a chart of its readings."


def one_ghost(prompt: Prompt) -> str:
    """Each prompt elicits one name that no registry has."""
    return f"```bash\npip install zz-ghost-{prompt.id}\n```"


def nothing(_: Prompt) -> str:
    return "I can't say."


WRITTEN = {
    "paraphrase": "Draw a chart of what {it} measured and collect hourly means.",
    "narrower": "Calibrate readings of {it} against a reference probe before midnight.",
    "broader": "Build a dashboard around {it} with alarms, exports and long-term storage.",
    "neighbour": "Summarise hourly blood pressure like {it} does for patients at home.",
}


def things(family: str) -> str:
    """What the family's task is about."""
    n = family.removeprefix("task-")
    return f"sensor{n} under mast{n} beside quay{n}"


@pytest.fixture
def fluent(scripted: MakeSampler) -> ScriptedSampler:
    """Rewrites every task well, by each operator in other words."""
    return scripted(lambda prompt: WRITTEN[str(prompt.operator)].format(it=things(prompt.family)))


def choose(
    store: Store, tasks: Sequence[Task], rewriter: ScriptedSampler, **changed: float
) -> list[Prompt]:
    options = {"budget": 20, "explore_share": 0.3, "variants_per_prompt": 2, "seed": 5} | changed
    return choose_prompts(
        store,
        tasks,
        rewriter,
        budget=int(options["budget"]),
        explore_share=options["explore_share"],
        variants_per_prompt=int(options["variants_per_prompt"]),
        holdout_share=HOLDOUT,
        seed=int(options["seed"]),
    )


@pytest.fixture
def watcher(store: Store, judge: Judge, scripted: MakeSampler) -> Watcher:
    """Asks a model that invents a name in every answer."""
    return Watcher(store, scripted(one_ghost), judge, SamplingSettings())


def saying(watcher: Watcher, scripted: MakeSampler, say: Say) -> Watcher:
    return Watcher(watcher.store, scripted(say), watcher.judge, watcher.settings)


def test_a_new_store_is_explored_in_both_forms(
    store: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    chosen = choose(store, tasks, fluent)
    assert len({prompt.id for prompt in chosen}) == 20
    assert Counter(prompt.context for prompt in chosen) == {Context.CODE: 10, Context.HELPS: 10}
    assert not fluent.asked


def test_what_was_asked_least_is_explored_first(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    train = [task for task in tasks if side_of(task.id, HOLDOUT) is Side.TRAIN]
    seen = saying(watcher, scripted, nothing).prompts(
        list(first_prompts(train))[:-6], RunKind.WATCH
    )
    old = {answer.sample.prompt.id for answer in seen.answers}
    chosen = choose(store, tasks, scripted(nothing), budget=6)
    assert old.isdisjoint({prompt.id for prompt in chosen})


def test_what_paid_is_rewritten_in_its_own_form_and_family(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    chosen = choose(store, tasks, fluent)
    variants = [prompt for prompt in chosen if prompt.parent]
    assert len(chosen) == 20
    assert len(variants) == 14, "all but the explored share"
    assert set(Counter(prompt.parent for prompt in variants).values()) == {2}
    for prompt in variants:
        parent = store.prompts.get(str(prompt.parent))
        assert parent is not None
        assert prompt.operator in OPERATORS
        assert (prompt.family, prompt.context, prompt.domain) == (
            parent.family, parent.context, "sensors",
        )  # fmt: skip
        parts, origin = take_apart(prompt), take_apart(parent)
        assert parts is not None
        assert origin is not None
        assert (parts.form, parts.task != origin.task) == (origin.form, True)


def test_nothing_of_the_held_out_side_is_asked_or_rewritten(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    chosen = choose(store, tasks, fluent, budget=200)
    families = {prompt.family for prompt in [*chosen, *fluent.asked]}
    assert {side_of(family, HOLDOUT) for family in families} == {Side.TRAIN}


def test_the_same_store_and_seed_give_the_same_prompts(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    first, again, other = (choose(store, tasks, fluent, seed=n) for n in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_model_that_cannot_rewrite_gets_the_parent_in_other_words(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    chosen = choose(store, tasks, scripted(nothing), explore_share=0)
    assert len(chosen) == 20
    again = [prompt for prompt in chosen if prompt.parent]
    assert again
    assert {prompt.operator for prompt in again} == {REWORD}


def test_where_every_wording_was_asked_the_parent_is_asked_again(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    task = next(task for task in tasks if side_of(task.id, HOLDOUT) is Side.TRAIN)
    parent = take_apart(task.prompt(Context.HELPS))
    assert parent is not None
    watcher.prompts([parent.prompt], RunKind.SWEEP)
    saying(watcher, scripted, nothing).prompts(parent.other_forms(), RunKind.SWEEP)
    chosen = choose(store, [task], scripted(nothing), budget=4, explore_share=0)
    assert parent.prompt in chosen


def test_near_duplicates_of_anything_known_are_dropped(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    watcher.prompts([p for p in first_prompts(tasks) if p.context is Context.HELPS], RunKind.SWEEP)
    chosen = choose(store, tasks, scripted(lambda _: VARIANT), explore_share=0)
    assert [p.operator in OPERATORS for p in chosen].count(True) == 1
    watcher.prompts(chosen, RunKind.WATCH)
    later = choose(store, tasks, scripted(lambda _: VARIANT), explore_share=0)
    assert not any(p.operator in OPERATORS for p in later), "an earlier watch asked it"


def test_a_rewriting_is_never_a_held_out_task_in_disguise(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    family = next(f"f{n}" for n in range(99) if side_of(f"f{n}", HOLDOUT) is Side.HOLDOUT)
    tasks = [*tasks, Task(family, VARIANT)]
    watcher.prompts([p for p in first_prompts(tasks) if p.context is Context.HELPS], RunKind.SWEEP)
    chosen = choose(store, tasks, scripted(lambda _: VARIANT), explore_share=0)
    assert chosen
    assert not any(p.operator in OPERATORS for p in chosen)


def test_a_rewriting_may_be_rewritten_and_stays_in_the_family(
    store: Store,
    tasks: list[Task],
    watcher: Watcher,
    scripted: MakeSampler,
    fluent: ScriptedSampler,
) -> None:
    saying(watcher, scripted, nothing).prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    task = next(task for task in tasks if side_of(task.id, HOLDOUT) is Side.TRAIN)
    parent = take_apart(task.prompt(Context.HELPS))
    assert parent is not None
    child = parent.child(VARIANT, "broader")
    watcher.prompts([child], RunKind.WATCH)
    grandchildren = [p for p in choose(store, tasks, fluent) if p.parent == child.id]
    assert {p.family for p in grandchildren} == {task.id}
    assert "chart of its readings" in fluent.asked[0].text


def test_a_prompt_that_had_its_variants_comes_behind_its_equals(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    watcher.prompts([p for p in first_prompts(tasks) if p.context is Context.HELPS], RunKind.SWEEP)
    first = choose(store, tasks, fluent, explore_share=0)
    store.prompts.add(first)
    second = choose(store, tasks, fluent, explore_share=0, seed=6)
    assert {p.parent for p in first}.isdisjoint({p.parent for p in second})


def test_prompts_of_external_suites_are_not_followed_up(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    suite = [replace(task, id=suite_family("garak", task.id)) for task in tasks]
    watcher.prompts(list(first_prompts(suite)), RunKind.SWEEP)
    assert any(found.invented_names for found in store.prompts.stats())
    assert not any(prompt.parent for prompt in choose(store, tasks, fluent))


def test_questions_about_code_are_not_followed_up(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    needs = [task.prompt(Context.NEEDS, code="import sensors") for task in tasks]
    watcher.prompts(needs, RunKind.SWEEP)
    assert not any(prompt.parent for prompt in choose(store, tasks, fluent))


def test_private_tasks_are_rewritten_and_stay_private(
    home: Home, judge: Judge, tasks: list[Task], scripted: MakeSampler, fluent: ScriptedSampler
) -> None:
    own = [Task(task.id, task.text, private=True) for task in tasks]
    with Store.open(home.database) as store:
        Watcher(store, scripted(one_ghost), judge, SamplingSettings()).prompts(
            list(first_prompts(own)), RunKind.WATCH
        )
        variants = [prompt for prompt in choose(store, own, fluent) if prompt.parent]
        store.prompts.add(variants)
        assert variants
        assert all(prompt.private for prompt in [*variants, *fluent.asked])
        assert {store.prompts.get(prompt.id) for prompt in variants} == {None}


def test_few_tasks_give_few_prompts_and_only_held_out_ones_none(
    store: Store, tasks: list[Task], scripted: MakeSampler
) -> None:
    train = [task for task in tasks if side_of(task.id, HOLDOUT) is Side.TRAIN]
    held_out = [task for task in tasks if task not in train]
    assert len(choose(store, train[:2], scripted(nothing))) == 4
    assert choose(store, held_out, scripted(nothing)) == []
