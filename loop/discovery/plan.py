"""DISCOVERY: chooses what a watch asks next, and says when watches should pause.

::

    what prompts brought ─read_pool─▶ Pool ─follow up─▶ new prompts of what paid ─┐
    tasks asked least, retired prompts, dropped operators ─────────────────────────┴─▶ next watch

A share of the prompts explores, the bandit chooses the rest. Everything is read from the store, and
nothing is kept in memory between two choices. Only the training side is asked: a rewritten prompt
belongs to its parent's family, a crossover to the family that would be held out first, and no
prompt may be too much like a held-out task.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ghostbust.config import Config
from ghostbust.loop.discovery.follow_up import Follower
from ghostbust.loop.discovery.operators import form_name
from ghostbust.loop.discovery.pool import FORM, Bandit, Pool, read_pool
from ghostbust.prompts import Task, first_prompts, split
from ghostbust.records import PROMPTED, Ecosystem, Prompt
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler
from ghostbust.sections import DiscoverySection
from ghostbust.store.prompts import Rewriting
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.unseen import PER_ANSWERS

CHECK_SHARE: Final = 0.15
"""of the exploring share: retired prompts, those not asked for the longest time first"""
RETRY_CHANCE: Final = 0.2
"""probability that a choice uses one of the dropped operators, once"""


@dataclass(frozen=True, slots=True)
class Rules:
    """How much a choice asks, and of what."""

    budget: int
    """prompts"""
    explore_share: float = 0.3
    """of the budget: goes through all tasks, whatever they paid, and retired prompts"""
    variants_per_prompt: int = 2
    """new prompts from one that paid, in one choice"""
    holdout_share: float = 0.25
    """of the families, which aren't asked"""
    name_holdout: float = 0.0
    """share of the names that are kept from training and so pay nothing"""
    ecosystems: tuple[Ecosystem, ...] = (Ecosystem.PYPI,)
    """whose registry can say that a name isn't there"""
    blind: bool = False
    """operators are drawn whatever they paid; the bench compares with that"""


def rules_of(config: Config, judge: Judge) -> Rules:
    """The rules of the settings for a watch."""
    return Rules(
        budget=config.daemon.watch_prompts,
        explore_share=config.discovery.explore_share,
        variants_per_prompt=config.discovery.variants_per_prompt,
        holdout_share=config.prompts.holdout_share,
        name_holdout=config.prompts.name_holdout_share,
        ecosystems=tuple(ecosystem for ecosystem in PROMPTED if judge.tells_absent(ecosystem)),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to ask, and by which rewritings it was made."""

    prompts: tuple[Prompt, ...]
    rewritings: tuple[Rewriting, ...]
    """to be stored after the prompts' parents, which are in the store already"""


def choose_prompts(
    store: Store,
    tasks: Sequence[Task],
    sampler: Sampler,
    rules: Rules,
    seed: int,
    *,
    rewriter: Sampler | None = None,
) -> Chosen:
    """At most ``budget`` distinct prompts of train-side families, the same for the same store.

    ``sampler`` is the watched model, which rewrites tasks unless there is a ``rewriter``. If too
    few prompts paid off, it explores more. No prompts only if no task is on the training side.
    Raises what ``sampler`` raises.
    """
    train, _ = split(tasks, rules.holdout_share)
    pool = read_pool(
        store,
        tasks,
        adapter=sampler.adapter,
        holdout_share=rules.holdout_share,
        name_holdout=rules.name_holdout,
    )
    if rules.blind:
        pool = replace(pool, bandit=Bandit({}))
    rng = random.Random(seed)  # noqa: S311
    follower = Follower(
        store,
        pool,
        train,
        sampler,
        rng,
        seed=seed,
        variants=rules.variants_per_prompt,
        ecosystems=rules.ecosystems,
        blind=rules.blind,
        rewriter=rewriter,
    )
    follow = min(rules.budget, round(rules.budget * (1 - rules.explore_share)))
    for prompt in _retired(pool, round(CHECK_SHARE * (rules.budget - follow))):
        follower.take(prompt)
    if rng.random() < RETRY_CHANCE:
        follower.retry_dropped()
    follower.follow(follow)
    for prompt in _least_asked(train, pool, rng):
        if len(follower.chosen) >= rules.budget:
            break
        follower.take(prompt)
    return Chosen(tuple(follower.chosen.values())[: rules.budget], tuple(follower.rewritings))


def _retired(pool: Pool, most: int) -> list[Prompt]:
    """Prompts that paid once and stopped, those not asked for the longest time first."""
    found = [key for key, record in pool.records.items() if record.retired and key in pool.prompts]
    found.sort(key=lambda key: (pool.records[key].last_asked, key))
    return [pool.prompts[key] for key in found[:most]]


def _least_asked(train: Sequence[Task], pool: Pool, rng: random.Random) -> Iterable[Prompt]:
    """CODE and HELPS prompts of every task, those first that have the fewest samples divided by the
    expected factor of their form: in the long run each is asked in proportion to that factor."""
    asked = {key: record.samples for key, record in pool.records.items()}
    due = {}
    for prompt in first_prompts(train):
        pays = pool.bandit.factor(FORM, form_name(prompt))
        due[prompt] = (asked.get(prompt.id, 0) + rng.random()) / pays
    return sorted(due, key=due.__getitem__)


LEAST_ANSWERS: Final = 1000
"""with fewer answers watches go on: one or two can find nothing by chance"""


def pause_reason(
    store: Store, settings: DiscoverySection, *, model: str, adapter: str | None, now: datetime
) -> str | None:
    """Why no watch should begin, in one line; None if one should.

    Watches pause while they find hardly a new name. The gain is the number of names that the newest
    watches were the first to find, per answer: watches of ``model`` with ``adapter`` that began in
    the last ``look_again_days``, newest first, until they have `LEAST_ANSWERS`. With fewer answers,
    or without ``stop_below``, watches go on.

    A pause isn't stored. It ends with another adapter, or when its watches are too old to count.
    """
    if settings.stop_below is None:
        return None
    since = now - timedelta(days=settings.look_again_days)
    answers = new = 0
    for run in store.runs.recent(
        -1,
        kinds=[RunKind.WATCH],
        model=model,
        adapters=[adapter],
        status=RunStatus.DONE,
        measured=True,
        since=since,
    ):
        if run.measurement is not None:
            answers += run.measurement.answers
            new += store.ledger.count_new_of(run.id)
            if answers >= LEAST_ANSWERS:
                break
    if answers < LEAST_ANSWERS or PER_ANSWERS * new / answers >= settings.stop_below:
        return None
    return (
        f"{new} new names in the last {answers} answers, {PER_ANSWERS * new / answers:.1f} in"
        f" {PER_ANSWERS:,}, which is under discovery.stop_below ({settings.stop_below:g}); looks"
        f" again {settings.look_again_days:g} days after these watches, or with another adapter"
    )
