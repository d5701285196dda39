"""Criteria take out what they say, and what a person adds can be asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery.pool import PATIENCE, Criteria, add_tasks, meets, prune
from ghostbust.prompts import Task
from ghostbust.records import Context, Ecosystem
from ghostbust.store.prompts import PoolPrompt
from ghostbust.store.store import Store

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


def test_what_is_out_already_is_not_taken_again() -> None:
    assert not meets(replace(FRESH, pruned=NOW), Criteria(never_asked=True), NOW)


def test_criteria_that_nobody_gave_are_empty() -> None:
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
