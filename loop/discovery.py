"""DISCOVERY: what to ask next. A share explores tasks, the rest follows up prompts that paid.

::

    what prompts paid ─rank─▶ parents ─rewrite─▶ variants ─┐
    tasks asked least ─────────────────────────────────────┴─▶ the prompts of the next watch

A variant belongs to its ancestor's family, so it stays on that family's side of the split, and
only the training side is asked here: what is held out is never followed up.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from ghostbust.loop.rewriting import (
    OPERATORS,
    Parent,
    alike,
    rewrite,
    take_apart,
    words,
)
from ghostbust.prompts import Task, first_prompts, side_of, split
from ghostbust.records import Prompt, Side
from ghostbust.samplers.interface import Sampler
from ghostbust.store import PromptStats, Store


def choose_prompts(
    store: Store,
    tasks: Sequence[Task],
    rewriter: Sampler,
    *,
    budget: int,
    explore_share: float,
    variants_per_prompt: int,
    holdout_share: float,
    seed: int,
) -> list[Prompt]:
    """At most ``budget`` distinct prompts of train-side families, the same for the same store.

    Where too few prompts paid to be followed up, more is explored. Empty only where no task is on
    the training side. Raises what ``rewriter`` raises.
    """
    train, _ = split(tasks, holdout_share)
    stats = store.prompts.stats()
    pool = [s for s in stats if side_of(s.family, holdout_share) is Side.TRAIN]
    known = _texts(store, tasks, stats)
    follow = min(budget, round(budget * (1 - explore_share)))
    parents = _parents(pool, known, -(-follow // variants_per_prompt), variants_per_prompt)
    rng = random.Random(seed)  # noqa: S311
    wanted = _plan(parents, variants_per_prompt, rng)[:follow]
    chosen = _variants(rewriter, wanted, known.values(), seed)
    for prompt in _least_asked(train, pool, rng):
        if len(chosen) >= budget:
            break
        chosen.setdefault(prompt.id, prompt)
    return list(chosen.values())


def _texts(store: Store, tasks: Iterable[Task], stats: Iterable[PromptStats]) -> dict[str, Prompt]:
    """Every prompt whose text is at hand, by id: a task's own, or one kept in the store."""
    texts = {prompt.id: prompt for prompt in first_prompts(tasks)}
    for row in stats:
        prompt = None if row.prompt_id in texts else store.prompts.get(row.prompt_id)
        if prompt is not None:
            texts[prompt.id] = prompt
    return texts


def _parents(
    pool: Sequence[PromptStats], known: Mapping[str, Prompt], count: int, variants: int
) -> list[Parent]:
    """The ``count`` prompts to follow up: those that paid most invented names a sample.

    Each helping of variants that a prompt already had divides what it paid: half after the
    first, a third after the second.
    """
    children = Counter(s.parent for s in pool if s.parent is not None)
    paid = {
        s.prompt_id: s.invented_names / s.times_sampled / (1 + children[s.prompt_id] // variants)
        for s in pool
        if s.invented_names and s.times_sampled
    }
    ranked = sorted(paid, key=lambda prompt_id: (-paid[prompt_id], prompt_id))
    parents = (take_apart(known[prompt_id]) for prompt_id in ranked if prompt_id in known)
    return [parent for parent in parents if parent is not None][:count]


def _plan(
    parents: Iterable[Parent], variants: int, rng: random.Random
) -> list[tuple[Parent, str | None]]:
    """Which rewritings to ask for. None as operator: the operators are used up for this task.

    The same rewriting of one task is asked for once, also where two of its forms paid.
    """
    unused: dict[str, list[str]] = {}
    plan: list[tuple[Parent, str | None]] = []
    for parent in parents:
        operators = unused.setdefault(parent.task, rng.sample(list(OPERATORS), len(OPERATORS)))
        plan += [(parent, operators.pop() if operators else None) for _ in range(variants)]
    return plan


def _variants(
    rewriter: Sampler,
    wanted: Sequence[tuple[Parent, str | None]],
    known: Iterable[Prompt],
    seed: int,
) -> dict[str, Prompt]:
    """A prompt for each wanted rewriting, by id; the parent again where the model wrote none.

    What is too much like anything known counts as none: it would tell nothing new, and could be
    a held-out task in disguise.
    """
    asked = [(parent, operator) for parent, operator in wanted if operator is not None]
    written = dict(zip(asked, rewrite(rewriter, asked, seed) if asked else [], strict=True))
    taken = {prompt.id: prompt for prompt in known}
    apart = (take_apart(prompt) for prompt in taken.values())
    seen = {words(parent.task) for parent in apart if parent is not None}
    chosen: dict[str, Prompt] = {}
    for parent, operator in wanted:
        task = None if operator is None else written[parent, operator]
        if operator is None or task is None or any(alike(words(task), other) for other in seen):
            prompt = _again(parent, taken.keys() | chosen.keys())
        else:
            seen.add(words(task))
            prompt = parent.child(task, operator)
        chosen[prompt.id] = prompt
    return chosen


def _again(parent: Parent, taken: Set[str]) -> Prompt:
    """The parent's task in a form that it wasn't asked in yet, else the parent itself."""
    return next((p for p in parent.other_forms() if p.id not in taken), parent.prompt)


def _least_asked(
    train: Sequence[Task], pool: Iterable[PromptStats], rng: random.Random
) -> list[Prompt]:
    """CODE and HELPS of every task, those sampled least first, else in a drawn order."""
    times = {s.prompt_id: s.times_sampled for s in pool}
    prompts = list(first_prompts(rng.sample(list(train), len(train))))
    return sorted(prompts, key=lambda prompt: times.get(prompt.id, 0))
