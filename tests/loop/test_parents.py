"""What is followed up: active prompts, the better ones mostly first, those with children later."""

from __future__ import annotations

import random
from collections import Counter

from ghostbust.loop.discovery.follow_up import by_domain, parents_of, rewritten_tasks
from ghostbust.loop.discovery.pool import PATIENCE, Bandit, Pool, Record
from ghostbust.prompts import Task
from ghostbust.records import Context, Prompt

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


def test_tasks_by_domain_in_a_drawn_order() -> None:
    found = by_domain(TASKS, random.Random(1))
    assert {d: {task.id for task in own} for d, own in found.items()} == {
        "d0": {"t0", "t2"}, "d1": {"t1", "t3"},
    }  # fmt: skip
    assert isinstance(next(iter(PROMPTS.values())), Prompt)
