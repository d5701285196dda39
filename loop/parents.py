"""Which prompts and tasks are at hand to be followed up, in the order in which they are tried."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from ghostbust.loop.operators.forms import Parent, take_apart
from ghostbust.loop.pool import Pool
from ghostbust.prompts import Task


def parents_of(
    pool: Pool, rng: random.Random, variants: int, *, blind: bool
) -> dict[str, list[Parent]]:
    """By domain, the active prompts that can be taken apart, the best drawn yield first.

    Each helping of ``variants`` that a prompt already had divides what it may bring. ``blind``:
    in any order.
    """
    drawn: dict[str, float] = {}
    for key, record in pool.records.items():
        if record.active and key in pool.prompts:
            children = pool.children.get(key, ())
            drawn[key] = (
                rng.random()
                if blind
                else _drawn_yield(pool, key, children, rng) / (1 + len(children) // variants)
            )
    found: dict[str, list[Parent]] = defaultdict(list)
    for key in sorted(drawn, key=lambda key: (-drawn[key], key)):
        parent = take_apart(pool.prompts[key])
        if parent is not None:
            found[parent.prompt.domain].append(parent)
    return dict(found)


def rewritten_tasks(pool: Pool) -> set[tuple[str, str]]:
    """(task, operator) of the rewritings by the model: two wordings of a task are one to it."""
    parents = {key: take_apart(pool.prompts[key]) for key, _ in pool.used if key in pool.prompts}
    return {
        (parent.task, operator)
        for key, operator in pool.used
        if (parent := parents.get(key)) is not None
    }


def by_domain(tasks: Sequence[Task], rng: random.Random) -> dict[str, list[Task]]:
    """The tasks of each domain, in a drawn order."""
    found: dict[str, list[Task]] = defaultdict(list)
    for task in rng.sample(list(tasks), len(tasks)):
        found[task.domain].append(task)
    return dict(found)


def _drawn_yield(pool: Pool, key: str, children: Sequence[str], rng: random.Random) -> float:
    """Reward for a thousand tokens, drawn from what is believed of the prompt: what it and its
    children brought, beside the mean of all, which weighs as much as one name."""
    family = [pool.records[one] for one in (key, *children) if one in pool.records]
    reward, cost = sum(one.reward for one in family), sum(one.cost for one in family)
    return rng.gammavariate(1 + reward, 1 / (1 / pool.bandit.mean + cost))
