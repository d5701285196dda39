"""What prompts brought, the bandit that learns from it, and what a person takes out."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery.pool import (
    AGAIN,
    OTHER_ADAPTER,
    PATIENCE,
    REPEAT,
    SEED,
    Arm,
    Bandit,
    Criteria,
    Evidence,
    Pool,
    Record,
    add_tasks,
    dispersion,
    meets,
    prune,
    read_pool,
)
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, side_of
from ghostbust.records import Context, Ecosystem, Prompt, Side
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.prompts import PoolPrompt, Rewriting
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, Say


DOMAINS, OPERATORS, FORMS = ("maps", "audio"), ("rarer", "pin", "agent"), ("list", "code")
TRUE = {"maps": 1.0, "audio": 1.0, "rarer": 2.0, "pin": 0.5, "agent": 0.1, "list": 1.5, "code": 0.5}


def evidence(cost: float) -> dict[Arm, Evidence]:
    """What arms bring whose yield is 5 names a thousand tokens times the three factors."""
    return {
        Arm(d, o, f): Evidence(5 * TRUE[d] * TRUE[o] * TRUE[f] * cost, cost)
        for d in DOMAINS
        for o in OPERATORS
        for f in FORMS
    }


def test_factors_are_told_apart_where_each_was_tried_with_all_others() -> None:
    bandit = Bandit(evidence(50))
    assert bandit.factor(1, "rarer") / bandit.factor(1, "pin") == pytest.approx(4, rel=0.05)
    assert bandit.factor(2, "list") / bandit.factor(2, "code") == pytest.approx(3, rel=0.05)
    assert bandit.factor(0, "maps") == pytest.approx(bandit.factor(0, "audio"))


def test_an_operator_is_not_blamed_for_the_form_it_was_tried_in() -> None:
    """Both pay alike; one was tried in the poor form only, the other mostly in the good one."""
    seen = {
        Arm("maps", "a", "code"): Evidence(10, 10),
        Arm("maps", "b", "list"): Evidence(100, 10),
        Arm("maps", "b", "code"): Evidence(2, 2),
        Arm("maps", "c", "code"): Evidence(40, 40),
        Arm("maps", "c", "list"): Evidence(400, 40),
    }
    bandit = Bandit(seen)
    assert bandit.factor(1, "a") / bandit.factor(1, "b") == pytest.approx(1, abs=0.2)
    assert bandit.factor(2, "list") > 3 * bandit.factor(2, "code")


def test_what_is_unknown_is_expected_to_be_average_and_is_tried() -> None:
    bandit, rng = Bandit(evidence(2)), random.Random(1)
    assert bandit.factor(1, "new") == 1
    draws = [bandit.draw(1, [*OPERATORS, "new"], rng) for _ in range(400)]
    firsts = Counter(max(drawn, key=drawn.__getitem__) for drawn in draws)
    assert firsts["rarer"] > firsts["new"] > 5
    assert firsts["agent"] < 5


def test_nothing_known_prefers_nothing() -> None:
    bandit, rng = Bandit({}), random.Random(1)
    draws = [bandit.draw(1, OPERATORS, rng) for _ in range(600)]
    firsts = Counter(max(drawn, key=drawn.__getitem__) for drawn in draws)
    assert min(firsts.values()) > 140
    assert bandit.dropped(OPERATORS) == []


def test_an_operator_is_dropped_once_it_surely_does_not_pay() -> None:
    assert Bandit(evidence(0.1)).dropped(OPERATORS) == []
    assert Bandit(evidence(20)).dropped(OPERATORS) == ["agent"]
    assert Bandit(evidence(20), dispersion=200).dropped(OPERATORS) == [], "less evidence than it"


def test_an_operator_that_only_costs_is_dropped() -> None:
    seen = evidence(20) | {Arm("maps", "broader", "list"): Evidence(0, 3)}
    assert "broader" in Bandit(seen).dropped([*OPERATORS, "broader"])


def test_dispersion_is_one_for_a_poisson_and_more_for_lists() -> None:
    rng = random.Random(2)
    single = [float(rng.random() < 0.2) for _ in range(4000)]
    assert dispersion(single, [0.2] * 4000) == 1.0
    lists = [5.0 * one for one in single]
    assert dispersion(lists, [1.0] * 4000) == pytest.approx(4, rel=0.15)
    assert dispersion([], []) == dispersion([1], [1]) == 1.0


def read(store: Store, tasks: list[Task], adapter: str | None = None) -> Pool:
    return read_pool(store, tasks, adapter=adapter, holdout_share=0.25, name_holdout=0)


@pytest.fixture
def train(tasks: list[Task]) -> list[Task]:
    return [task for task in tasks if side_of(task.id, 0.25) is Side.TRAIN]


class Asks:
    """Asks prompts of a model that says the given thing, one call after another."""

    def __init__(self, store: Store, judge: Judge, scripted: MakeSampler) -> None:
        self._store, self._judge, self._scripted, self._seed = store, judge, scripted, 0

    def __call__(self, say: Say, *prompts: Prompt, adapter: str | None = None) -> None:
        self._seed += 1
        settings = SamplingSettings(seed=self._seed)
        model = self._scripted(say, adapter)
        Watcher(self._store, model, self._judge, settings).prompts(prompts, RunKind.WATCH)


@pytest.fixture
def asks(store: Store, judge: Judge, scripted: MakeSampler) -> Asks:
    return Asks(store, judge, scripted)


def names(*ghosts: str) -> Say:
    return lambda _: "```bash\npip install " + " ".join(f"zz-{one}" for one in ghosts) + "\n```"


def test_new_names_pay_and_repeats_less_and_again_nothing(
    store: Store, train: list[Task], asks: Asks
) -> None:
    one, other = (task.prompt(Context.CODE) for task in train[:2])
    asks(names("a", "b"), one)
    asks(names("b", "c"), other)
    asks(names("b", "c"), other)
    records = read(store, train).records
    assert records[one.id].reward == pytest.approx(2, rel=0.01)
    assert records[other.id].reward == pytest.approx(1 + REPEAT, rel=0.01)
    assert records[other.id].cost == pytest.approx(0.018, rel=0.01)
    assert (records[one.id].last_asked, records[other.id].last_asked) == (0, 2)


def test_what_the_prompt_named_itself_is_nothing_that_it_elicits(
    store: Store, train: list[Task], asks: Asks
) -> None:
    prompt = train[0].prompt(Context.HELPS)
    asks(lambda _: "1. zz-ghost\n2. zz-other", prompt)
    turned = replace(prompt, text="List five more.", turns=(prompt.text, "1. zz-ghost"))
    asks(lambda _: "1. zz-ghost\n", turned)
    assert not read(store, train).records[turned.id].active
    asks(lambda _: "1. zz-ghost\n2. zz-third\n", turned)
    record = read(store, train).records[turned.id]
    assert record.reward == pytest.approx(1, rel=0.01)


def test_asking_again_is_an_arm_of_its_own(store: Store, train: list[Task], asks: Asks) -> None:
    prompt = train[0].prompt(Context.CODE)
    asks(names("a"), prompt)
    for _ in range(30):
        asks(names("a"), prompt)
    bandit = read(store, train).bandit
    assert bandit.factor(1, SEED) > bandit.factor(1, AGAIN)


def test_tokens_of_a_rewriting_are_a_cost_of_its_operator(
    store: Store, train: list[Task], asks: Asks
) -> None:
    prompts = list(first_prompts(train))
    for number, prompt in enumerate(prompts):
        asks(names(f"n{number}"), prompt)
    rows = [
        Rewriting(operator, prompts[0].id, None, tokens, "m", None, 1)
        for operator, tokens in (("broader", 400), ("narrower", 4))
    ]
    store.rewritings.add(rows * 10)
    pool = read(store, train)
    assert pool.bandit.factor(1, "broader") < 0.2 < pool.bandit.factor(1, "narrower")
    assert pool.used == {(prompts[0].id, "broader"), (prompts[0].id, "narrower")}


def test_an_answer_of_another_adapter_weighs_less(
    store: Store, train: list[Task], asks: Asks
) -> None:
    prompt = train[0].prompt(Context.CODE)
    asks(names("a"), prompt, adapter="round-0001-aa")
    assert read(store, train).records[prompt.id].reward == pytest.approx(OTHER_ADAPTER)
    own = read(store, train, "round-0001-aa").records[prompt.id]
    assert own.reward == pytest.approx(1)


def test_held_out_prompts_count_nowhere(store: Store, tasks: list[Task], asks: Asks) -> None:
    asks(names("a"), *first_prompts(tasks))
    pool = read(store, tasks)
    families = {prompt.family for prompt in pool.prompts.values()}
    assert {side_of(family, 0.25) for family in families} == {Side.TRAIN}
    assert set(pool.records) == set(pool.prompts)
    held_out = {prompt.family for prompt in pool.held_out}
    assert held_out == {task.id for task in tasks} - families


@pytest.mark.parametrize(
    ("paid", "active", "retired"),
    [
        ((), False, False),
        ((True,), True, False),
        ((False,) * PATIENCE, False, True),
        ((False,) * (PATIENCE - 1), False, False),
        ((True, *[False] * (PATIENCE - 1)), True, False),
    ],
)
def test_a_prompt_retires_after_some_samples_without_a_name(
    paid: tuple[bool, ...], active: bool, retired: bool
) -> None:
    record = Record(last_paid=paid, ever_paid=True)
    assert (record.active, record.retired) == (active, retired)
    assert not replace(record, ever_paid=False).retired


NOW = datetime(2026, 12, 1, tzinfo=UTC)
FRESH = PoolPrompt(
    "0" * 16, "text", Context.CODE, Ecosystem.PYPI, "family", "", None, None, False,
    NOW - timedelta(days=1), 0, 0, 0, None, None,
)  # fmt: skip
PAYS = replace(FRESH, samples=30, invented_names=3, quiet=PATIENCE - 1)
PAID = replace(FRESH, samples=30, invented_names=3, quiet=PATIENCE)
NEVER_PAID = replace(FRESH, samples=20, quiet=20)


@pytest.mark.parametrize(
    ("criteria", "taken"),
    [
        (Criteria(never_asked=True), [FRESH]),
        (Criteria(retired=True), [PAID]),
        (Criteria(paid_nothing=20), [NEVER_PAID]),
        (Criteria(paid_nothing=21), []),
        (Criteria(retired=True, paid_nothing=20), [PAID, NEVER_PAID]),
        (Criteria(older_than_days=0.5), [FRESH, PAYS, PAID, NEVER_PAID]),
        (Criteria(older_than_days=2), []),
        (Criteria(retired=True, older_than_days=2), []),
        (Criteria(operator="broader"), []),
    ],
)
def test_each_criterion(criteria: Criteria, taken: list[PoolPrompt]) -> None:
    pool = [FRESH, PAYS, PAID, NEVER_PAID]
    assert [prompt for prompt in pool if meets(prompt, criteria, NOW)] == taken
    assert not criteria.empty


def test_an_operator_restricts_what_another_criterion_takes() -> None:
    made = replace(FRESH, operator="broader")
    criteria = Criteria(never_asked=True, operator="broader")
    assert meets(made, criteria, NOW)
    assert not meets(FRESH, criteria, NOW)
    assert not meets(replace(PAYS, operator="broader"), criteria, NOW)
    assert not meets(replace(made, pruned=NOW), criteria, NOW), "it is out already"
    assert Criteria().empty


def test_tasks_become_two_prompts_whose_texts_are_kept(home: Home) -> None:
    own = Task("own", "Count the salaries above the median.", private=True)
    with Store.open(home.database, keep_private=True) as store:
        prompts, new = add_tasks(store, [own])
        assert (len(prompts), new) == (2, 2)
        assert [store.prompts.get(prompt.id) for prompt in prompts] == prompts
        assert add_tasks(store, [own])[1] == 0


def test_what_was_taken_out_comes_back_when_it_is_added(home: Home, store: Store) -> None:
    task = Task("public", "Count the gulls above the harbour.")
    child = replace(task.prompt(Context.CODE), text="x", parent=task.prompt(Context.CODE).id)
    add_tasks(store, [task])
    store.prompts.add([child])
    taken = [row for row in store.prompts.pool() if row.prompt_id != child.id]
    assert prune(store, taken) == (1, 1), "the one with a child is marked"
    assert add_tasks(store, [task])[1] == 2
    assert store.prompts.pruned() == frozenset()
