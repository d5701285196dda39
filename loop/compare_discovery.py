"""COMPARE DISCOVERY: what it finds, compared with uniform sampling of the same seed prompts.

::

    Task ─choose, in waves─▶ Prompt ─ask, judge, log─▶ Answer ─count─▶ names and prompts by tokens

The uniform way samples a given number of answers. The others then spend as many tokens, those of
rewriting included. Each way with each seed has a database of its own, so none knows what another
found. A run that was interrupted is continued; a finished one isn't sampled again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil

import ghostbust
from ghostbust.evaluation.comparisons import OperatorUses, SearchComparison, SearchPoint, SearchRun
from ghostbust.evaluation.ways import Search
from ghostbust.home import Home
from ghostbust.loop.build import sampling_settings, weights_of
from ghostbust.loop.daemon import watch_job
from ghostbust.loop.daemon.watch_job import Pending
from ghostbust.loop.discovery.plan import Rules, choose_prompts
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts, split
from ghostbust.records import content_id
from ghostbust.samplers.interface import Sampler
from ghostbust.store.connection import encode_json
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store

SEEDS_APART = 1_000_000
"""between the seeds of two runs: each wave has a seed of its own"""
EVERYTHING = 2**31
"""more samples than any run has"""


@dataclass(frozen=True)
class FindingPlan:
    """What is compared, and on what."""

    session: Session
    """of the bench's own home folder"""
    sampler: Sampler
    ways: Sequence[Search]
    """the uniform way always runs first: its tokens are the budget of the others"""
    seeds: Sequence[int]
    tasks: Sequence[Task]
    """both sides of the split; the held-out ones are never asked"""
    answers: int
    """of the uniform way"""
    rules: Rules
    """with the prompts of a wave as budget"""
    listener: Listener
    rewriter: Sampler | None = None
    """another model that rewrites tasks; None: the sampler does"""


def compare_finding(plan: FindingPlan) -> SearchComparison:
    """Each way with each seed, in the plan's order."""
    runs: dict[tuple[Search, int], SearchRun] = {}
    for seed in plan.seeds:
        uniform = _run(plan, Search.UNIFORM, seed, tokens=None)
        runs[Search.UNIFORM, seed] = uniform
        for way in plan.ways:
            if way is not Search.UNIFORM:
                runs[way, seed] = _run(plan, way, seed, tokens=uniform.tokens)
    ways = [Search.UNIFORM, *(way for way in plan.ways if way is not Search.UNIFORM)]
    return SearchComparison(tuple(runs[way, seed] for way in ways for seed in plan.seeds))


def _run(plan: FindingPlan, way: Search, seed: int, *, tokens: int | None) -> SearchRun:
    """Runs the way until it has so many tokens; None: until it has the plan's answers."""
    home = _home(plan, way, seed)
    each = plan.session.config.sampling.samples_per_prompt
    plan.listener.begin(f"{way}, seed {seed}")
    with Store.open(home.database) as store:
        store.mark_interrupted()
        while True:
            points = list(_points(store))
            plan.listener.advance(len(points), max(plan.answers, len(points)))
            wave = plan.rules.budget
            if tokens is None:
                wave = min(wave, ceil((plan.answers - len(points)) / each))
            elif points and points[-1].tokens >= tokens:
                wave = 0
            if wave <= 0:
                break
            _ask(plan, home, store, way, seed, wave)
        counts = store.rewritings.counts()
        uses = (OperatorUses(c.operator, c.asked, c.written, c.paid, c.tokens) for c in counts)
        return SearchRun(way, seed, tuple(points), tuple(uses))


def _ask(plan: FindingPlan, home: Home, store: Store, way: Search, seed: int, wave: int) -> None:
    """Samples one wave: the interrupted one, else a new one."""
    asked = watch_job.find(home, store, plan.tasks)
    if asked is None:
        done = sum(run.status is RunStatus.DONE for run in store.runs.recent(EVERYTHING))
        asked = _choose(plan, store, way, seed * SEEDS_APART + done, wave)
        watch_job.keep(home, store, asked)
    watcher = Watcher(
        store,
        plan.sampler,
        plan.session.judge,
        sampling_settings(plan.session.config, asked.seed),
        made_by=weights_of(plan.session.config),
    )
    watcher.prompts(asked.prompts, RunKind.WATCH)
    watch_job.drop(home)


def _choose(plan: FindingPlan, store: Store, way: Search, seed: int, wave: int) -> Pending:
    """A wave's prompts; the cost of writing them is stored."""
    if way is Search.UNIFORM:
        train, _ = split(plan.tasks, plan.rules.holdout_share)
        prompts = list(first_prompts(train))
        chosen = random.Random(seed).sample(prompts, min(wave, len(prompts)))  # noqa: S311
        return Pending(seed, tuple(chosen))
    rules = replace(plan.rules, budget=wave, blind=way is Search.BLIND)
    found = choose_prompts(store, plan.tasks, plan.sampler, rules, seed, rewriter=plan.rewriter)
    store.rewritings.add(found.rewritings)
    return Pending(seed, found.prompts)


def _points(store: Store) -> Iterator[SearchPoint]:
    """The run's progress after each answer; a wave's rewriting is paid for before its answers."""
    rewriting: dict[int, int] = {}
    for row in store.rewritings.read():
        rewriting[row.seed] = rewriting.get(row.seed, 0) + row.tokens
    tokens = 0
    names: set[tuple[str, str]] = set()
    prompts: set[str] = set()
    for answers, draw in enumerate(store.rewritings.draws(EVERYTHING), 1):
        tokens += rewriting.pop(draw.seed, 0) + draw.cost
        names.update((name.ecosystem, name.name) for name in draw.names)
        if draw.names:
            prompts.add(draw.prompt_id)
        yield SearchPoint(tokens, answers, len(names), len(prompts))


def _home(plan: FindingPlan, way: Search, seed: int) -> Home:
    """Where a run's answers are.

    The name holds all that they depend on but their number: the same command with more answers
    continues the run.
    """
    session = plan.session
    settings = asdict(sampling_settings(session.config, seed)) | {
        "rules": asdict(plan.rules),
        "model": plan.sampler.model,
        "registry": dict(session.judge.dates),
        "mode": str(session.judge.mode),
        "version": ghostbust.__version__,
        **weights_of(session.config),
    }
    if plan.rewriter is not None and way is not Search.UNIFORM:
        settings["rewriter"] = plan.rewriter.model
    tasks = content_id(*(part for task in plan.tasks for part in (task.id, task.text)))
    key = content_id(encode_json(settings), tasks)
    return Home.open(session.home.path / "discovery" / f"{way}-{seed}-{key}")
