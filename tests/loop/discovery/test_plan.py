"""What is asked next: seeded, on the training side; and when watches pause."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery import plan
from ghostbust.loop.discovery.operators import OPERATORS
from ghostbust.loop.discovery.plan import Rules, pause_reason
from ghostbust.loop.discovery.pool import PATIENCE
from ghostbust.loop.watch import Watcher
from ghostbust.measure import measure
from ghostbust.prompts import Task, first_prompts, name_side, side_of, suite_family
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Side,
    Verdict,
)
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import DiscoverySection
from ghostbust.store.prompts import Rewriting
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.loop.choosing import RULES, choose, nothing, one_ghost

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, Say, ScriptedSampler


def saying(watcher: Watcher, scripted: MakeSampler, say: Say, seed: int = 0) -> Watcher:
    settings = replace(watcher.settings, seed=seed)
    return Watcher(watcher.store, scripted(say), watcher.judge, settings)


def test_a_new_store_is_asked_the_tasks_themselves(
    store: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    chosen = choose(store, tasks, fluent)
    assert len({prompt.id for prompt in chosen.prompts}) == 20
    assert not any(prompt.operator for prompt in chosen.prompts)
    assert not chosen.rewritings
    assert not fluent.asked


def test_the_explored_share_asks_what_was_asked_least_in_both_forms(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    all_explored = replace(RULES, explore_share=1)
    chosen = choose(store, tasks, scripted(nothing), all_explored).prompts
    assert len(chosen) == 20
    assert min(Counter(prompt.context for prompt in chosen).values()) >= 5
    train = [task for task in tasks if side_of(task.id, RULES.holdout_share) is Side.TRAIN]
    seen = saying(watcher, scripted, nothing).prompts(
        list(first_prompts(train))[:-6], RunKind.WATCH
    )
    old = {answer.sample.prompt.id for answer in seen.answers}
    chosen = choose(store, tasks, scripted(nothing), replace(all_explored, budget=6)).prompts
    assert old.isdisjoint({prompt.id for prompt in chosen})


CHOOSE = """
import sys
from pathlib import Path
from ghostbust.prompts import Task
from ghostbust.store.store import Store
from tests.loop.choosing import choose
class Silent:
    model, adapter = "made-up", None
    def sample(self, prompts, settings):
        return []
tasks = [Task(f"task-{n}", f"Plot what sensor{n} tells.", f"domain-{n % 5}") for n in range(40)]
with Store.open(Path(sys.argv[1]), read_only=True) as store:
    for prompt in choose(store, tasks, Silent()).prompts:
        print(prompt.id)
"""
"""prints a choice from the database of its argument"""


def test_another_process_chooses_the_same(home: Home, store: Store, watcher: Watcher) -> None:
    tasks = [Task(f"task-{n}", f"Plot what sensor{n} tells.", f"domain-{n % 5}") for n in range(40)]
    watcher.prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    chosen = [
        subprocess.run(
            [sys.executable, "-c", CHOOSE, str(home.database)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert len(chosen[0].split()) == RULES.budget
    assert chosen[0] == chosen[1], "no order of a set decides"


def test_what_paid_is_followed_up_in_its_family_by_many_operators(
    elicited: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    chosen = choose(elicited, tasks, fluent, replace(RULES, budget=60, explore_share=0.2))
    assert len(chosen.prompts) == 60
    made = [prompt for prompt in chosen.prompts if prompt.parent]
    assert len({prompt.operator for prompt in made}) >= 6
    assert max(Counter(prompt.parent for prompt in made).values()) <= 2
    for prompt in made:
        parent = elicited.prompts.get(str(prompt.parent))
        assert parent is not None
        assert prompt.operator in OPERATORS
        families = {parent.family}
        if prompt.other_parent:
            other = elicited.prompts.get(prompt.other_parent)
            assert other is not None
            families.add(other.family)
        assert prompt.family in families
        assert prompt.domain == "sensors"


def test_every_use_of_an_operator_is_told(
    elicited: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    chosen = choose(elicited, tasks, fluent, replace(RULES, budget=60))
    elicited.rewritings.add(chosen.rewritings)
    told = {row.child: row for row in chosen.rewritings}
    for prompt in chosen.prompts:
        if prompt.parent:
            assert told[prompt.id].operator == prompt.operator
            asked = OPERATORS[str(prompt.operator)].question is not None
            assert told[prompt.id].tokens == (9 if asked else 0)
    assert {row.seed for row in chosen.rewritings} == {5}


def test_nothing_of_the_held_out_side_is_asked_or_rewritten(
    elicited: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    for seed in range(3):
        chosen = choose(elicited, tasks, fluent, replace(RULES, budget=200), seed).prompts
        families = {prompt.family for prompt in [*chosen, *fluent.asked]}
        assert {side_of(family, RULES.holdout_share) for family in families} == {Side.TRAIN}


def test_the_same_store_and_seed_give_the_same_prompts(
    elicited: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    first, again, other = (choose(elicited, tasks, fluent, seed=n) for n in (5, 5, 6))
    assert first == again
    assert first != other


def test_a_retired_prompt_is_checked_and_comes_back_when_it_relapses(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    task = next(task for task in tasks if side_of(task.id, RULES.holdout_share) is Side.TRAIN)
    prompt = task.prompt(Context.HELPS)
    watcher.prompts([prompt], RunKind.SWEEP)

    def followed(seed: int) -> bool:
        rules = replace(RULES, budget=30, explore_share=0.5)
        chosen = choose(store, tasks, scripted(nothing), rules, seed)
        return any(row.parent == prompt.id for row in chosen.rewritings)

    assert followed(1), "it paid"
    for seed in range(1, PATIENCE + 1):
        saying(watcher, scripted, nothing, seed).prompts([prompt], RunKind.WATCH)
    assert not followed(1), "it stopped"
    checked = choose(store, tasks, scripted(nothing), replace(RULES, budget=30, explore_share=0.5))
    assert prompt in checked.prompts, "it is looked at again"
    saying(watcher, scripted, one_ghost, 99).prompts([prompt], RunKind.WATCH)
    assert followed(1), "it relapsed"


@pytest.mark.parametrize(("chance", "uses"), [(0.0, 0), (1.0, 1)])
def test_a_dropped_operator_is_tried_again_rarely(
    elicited: Store,
    tasks: list[Task],
    scripted: MakeSampler,
    monkeypatch: pytest.MonkeyPatch,
    chance: float,
    uses: int,
) -> None:
    parent = next(p for p in first_prompts(tasks) if side_of(p.family, 0.25) is Side.TRAIN)
    elicited.rewritings.add([Rewriting("rarer", parent.id, None, 4000, "made-up", None, 1)])
    monkeypatch.setattr(plan, "RETRY_CHANCE", chance)
    chosen = choose(elicited, tasks, scripted(nothing), replace(RULES, budget=60))
    assert Counter(row.operator for row in chosen.rewritings)["rarer"] == uses


def test_names_of_the_name_holdout_pay_nothing(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    def held_out(prompt: Prompt) -> str:
        names = (f"zz-{prompt.id}-{n}" for n in range(99))
        chosen = (n for n in names if name_side(Ecosystem.PYPI, n, 0.3) is Side.HOLDOUT)
        return f"```bash\npip install {next(chosen)}\n```"

    saying(watcher, scripted, held_out).prompts(list(first_prompts(tasks)), RunKind.SWEEP)
    rules = replace(RULES, explore_share=0)
    assert choose(store, tasks, scripted(nothing), rules).rewritings
    assert not choose(store, tasks, scripted(nothing), replace(rules, name_holdout=0.3)).rewritings


def test_what_was_taken_out_of_the_pool_is_neither_asked_nor_followed_up(
    elicited: Store, tasks: list[Task], fluent: ScriptedSampler
) -> None:
    before = choose(elicited, tasks, fluent)
    out = {str(row.parent) for row in before.rewritings} | {p.id for p in before.prompts}
    elicited.prompts.add(before.prompts)
    elicited.prompts.prune(sorted(out))
    after = choose(elicited, tasks, fluent, replace(RULES, budget=60))
    assert after.rewritings
    assert out.isdisjoint({p.id for p in after.prompts} | {r.parent for r in after.rewritings})


@pytest.mark.parametrize("suite", ["garak", "fresh"])
def test_prompts_of_suites_are_not_followed_up(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler, suite: str
) -> None:
    of_suite = [replace(task, id=suite_family(suite, task.id)) for task in tasks]
    watcher.prompts(list(first_prompts(of_suite)), RunKind.SWEEP)
    assert any(found.invented_names for found in store.prompts.pool())
    assert not choose(store, tasks, fluent).rewritings


def test_questions_about_code_are_not_followed_up(
    store: Store, tasks: list[Task], watcher: Watcher, fluent: ScriptedSampler
) -> None:
    needs = [task.prompt(Context.NEEDS, code="import sensors") for task in tasks]
    watcher.prompts(needs, RunKind.SWEEP)
    assert not choose(store, tasks, fluent).rewritings


def test_private_tasks_are_rewritten_and_stay_private(
    home: Home, judge: Judge, tasks: list[Task], scripted: MakeSampler, fluent: ScriptedSampler
) -> None:
    own = [Task(task.id, task.text, private=True) for task in tasks]
    with Store.open(home.database) as store:
        Watcher(store, scripted(one_ghost), judge, SamplingSettings()).prompts(
            list(first_prompts(own)), RunKind.WATCH
        )
        chosen = choose(store, own, fluent, replace(RULES, budget=60))
        made = [prompt for prompt in chosen.prompts if prompt.parent]
        store.prompts.add(made)
        assert made
        assert all(prompt.private for prompt in [*chosen.prompts, *fluent.asked])
        assert {store.prompts.get(prompt.id) for prompt in made} == {None}
        assert not any(prompt.turns for prompt in made), "answers to them aren't at hand"


def test_few_tasks_give_few_prompts_and_only_held_out_ones_none(
    store: Store, tasks: list[Task], scripted: MakeSampler
) -> None:
    train = [task for task in tasks if side_of(task.id, RULES.holdout_share) is Side.TRAIN]
    held_out = [task for task in tasks if task not in train]
    assert 4 <= len(choose(store, train[:2], scripted(nothing)).prompts) <= 20
    assert choose(store, held_out, scripted(nothing)).prompts == ()


def test_what_pays_is_asked_more_than_blindly(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    """Only what asks for a list of pinned versions elicits anything."""

    def say(prompt: Prompt) -> str:
        return one_ghost(prompt) if "pinned version" in prompt.text else nothing(prompt)

    for seed in range(1, 7):
        chosen = choose(store, tasks, scripted(nothing), replace(RULES, budget=30), seed)
        store.rewritings.add(chosen.rewritings)
        saying(watcher, scripted, say, seed).prompts(chosen.prompts, RunKind.WATCH)

    def pinned(rules: Rules) -> int:
        chosen = choose(store, tasks, scripted(nothing), rules, 50).prompts
        return sum("pinned version" in prompt.text for prompt in chosen)

    assert pinned(RULES) >= 10
    assert pinned(RULES) > 2 * pinned(replace(RULES, blind=True))


def test_exploring_asks_each_form_in_proportion_to_what_it_pays(
    store: Store, tasks: list[Task], watcher: Watcher, scripted: MakeSampler
) -> None:
    """A list always invents four new names, code one."""
    fresh = itertools.count()

    def say(prompt: Prompt) -> str:
        names = [f"zz-ghost-{next(fresh)}" for _ in range(4)]
        return f"pip install {' '.join(names if prompt.context is Context.HELPS else names[:1])}"

    explored = replace(RULES, explore_share=1)
    asked: Counter[Context] = Counter()
    for seed in range(1, 31):
        chosen = choose(store, tasks, scripted(nothing), explored, seed).prompts
        saying(watcher, scripted, say, seed).prompts(chosen, RunKind.WATCH)
        asked.update(prompt.context for prompt in chosen)
    assert 2.5 < asked[Context.HELPS] / asked[Context.CODE] < 4.5


DAY = datetime(2026, 12, 1, tzinfo=UTC)
SETTINGS = DiscoverySection(stop_below=50, look_again_days=7)


@pytest.fixture(autouse=True)
def few_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 answers are enough to judge by, so that a test needs no thousand."""
    monkeypatch.setattr(plan, "LEAST_ANSWERS", 40)


def watched(
    home: Home,
    at: datetime,
    *,
    new: int,
    seed: int = 1,
    answers: int = 40,
    kind: RunKind = RunKind.WATCH,
    adapter: str | None = None,
    status: RunStatus = RunStatus.DONE,
    model: str = "m",
) -> None:
    """A finished run of so many answers that is the first to see so many names."""
    with Store.open(home.database, now=lambda: at) as store:
        run_id = store.runs.start(RunSpec(kind, model, adapter, seed))
        made = [_answer(seed, n, adapter, named=n < new) for n in range(answers)]
        store.answers.add(run_id, made)
        store.runs.finish(run_id, status, measure(made))


def _answer(seed: int, number: int, adapter: str | None, *, named: bool) -> Answer:
    prompt = Task(f"task-{number}", f"Chart the readings of mast {number}.").prompt(Context.HELPS)
    name = f"zz-ghost-{seed}-{number}"
    ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name)
    lookup = Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "", "", "rule", DAY)
    sample = Sample(prompt, name, "m", adapter, seed, number, 0.7, False, 9)
    return Answer(sample, (Judged(ref, lookup),) if named else ())


def reason(
    home: Home,
    now: datetime = DAY,
    adapter: str | None = None,
    settings: DiscoverySection = SETTINGS,
) -> str | None:
    with Store.open(home.database) as store:
        return pause_reason(store, settings, model="m", adapter=adapter, now=now)


def test_a_gain_under_the_threshold_pauses_and_says_what_was_found(home: Home) -> None:
    watched(home, DAY, new=1)
    said = reason(home)
    assert said is not None
    assert said.startswith("1 new names in the last 40 answers, 25.0 in 1,000")
    assert "stop_below (50)" in said


@pytest.mark.parametrize(
    ("run", "settings"),
    [
        ({"new": 2}, SETTINGS),  # exactly the threshold
        ({"new": 0}, DiscoverySection()),
        ({"new": 0, "answers": 39}, SETTINGS),
        ({"new": 0, "kind": RunKind.SWEEP}, SETTINGS),
        ({"new": 0, "status": RunStatus.INTERRUPTED}, SETTINGS),
        ({"new": 0, "model": "other"}, SETTINGS),
    ],
)
def test_watches_go_on(home: Home, run: dict[str, Any], settings: DiscoverySection) -> None:
    watched(home, DAY, **run)
    assert reason(home, settings=settings) is None


def test_the_newest_watches_count_until_there_are_enough(home: Home) -> None:
    watched(home, DAY, new=30, seed=1)
    watched(home, DAY + timedelta(hours=1), new=0, seed=2, answers=20)
    assert reason(home) is None, "the second alone isn't enough, and the first found much"
    watched(home, DAY + timedelta(hours=2), new=0, seed=3, answers=20)
    assert reason(home) is not None


def test_it_looks_again_after_some_days(home: Home) -> None:
    watched(home, DAY, new=0)
    assert reason(home, DAY + timedelta(days=6.9)) is not None
    assert reason(home, DAY + timedelta(days=7.1)) is None


def test_it_looks_again_with_another_adapter(home: Home) -> None:
    watched(home, DAY, new=0)
    assert reason(home, adapter="round-1") is None
    watched(home, DAY + timedelta(hours=1), new=0, seed=2, adapter="round-1")
    assert reason(home, adapter="round-1") is not None
