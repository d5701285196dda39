"""What the store tells of prompts and arms, the same after a restart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery.forms import AGAIN, SEED
from ghostbust.loop.discovery.pool import OTHER_ADAPTER, PATIENCE, REPEAT, Pool, Record, read_pool
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, side_of
from ghostbust.records import Context, Prompt, Side
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.prompts import Rewriting
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, Say


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


def test_another_process_reads_the_same(
    home: Home, store: Store, train: list[Task], asks: Asks
) -> None:
    asks(names("a", "b"), *first_prompts(train))
    store.rewritings.add(
        [Rewriting("broader", train[0].prompt(Context.CODE).id, None, 40, "m", None, 1)]
    )
    before = read(store, train)
    store.close()
    with Store.open(home.database) as again:
        after = read(again, train)
    assert (after.prompts, after.records, after.used) == (
        before.prompts,
        before.records,
        before.used,
    )
    assert after.bandit.factor(1, "broader") == before.bandit.factor(1, "broader")
