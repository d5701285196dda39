"""COMPARE: every unlearning method on answers of one model, and what came of each.

::

    Task ─ask the base─▶ Answer ─select─▶ SetSplit ─unlearn by each method─▶ Candidate
         ─score, evaluate on held-out tasks─▶ MethodRun

It works in a home folder of its own, where nothing is gated and nothing serves: the rounds, the
ledger and the deployed adapter of the user's home stay as they are. What is there of the same
command is not sampled, trained or scored again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.adapters import read_adapter
from ghostbust.config import Config, override
from ghostbust.errors import TrainingError
from ghostbust.evaluation.contest import Contest, Cost, MethodRun
from ghostbust.loop.benches import NO_NUMBERS, Measured, Trained, measure_adapters, train_once
from ghostbust.loop.eval_plan import weights_of
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import draw, sampling_settings, training_settings
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Candidate, SetSplit
from ghostbust.samplers.local import LocalSampler
from ghostbust.store import RunKind
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import TrainSettings


@dataclass(frozen=True)
class ComparePlan:
    """What is compared, and on what."""

    session: Session
    """of the bench's own home folder; the model runs in this process"""
    methods: Sequence[str]
    seeds: Sequence[int]
    """each draws the training tasks, what the base says of them, the sets, and the training"""
    train: Sequence[Task]
    train_tasks: int
    """so many of them, at most, are asked with each seed"""
    holdout: Sequence[Task]
    """all are asked"""
    equal_steps: bool
    """smaller batches for methods without repaired answers: as many optimizer steps, or more"""
    listener: Listener


def compare_methods(plan: ComparePlan) -> Contest:
    """Train by each method with each seed, and set all that came of it beside the base.

    A run that fails is a run with a reason, and the others go on. Raises UsageError, before
    anything is loaded, for a method that there isn't.
    """
    for method in plan.methods:
        _settings(plan.session.config, method, 0)
    trained = list(_train(plan))
    made = [one.candidate for one in trained if one.candidate is not None]
    adapters = [(candidate.name, candidate.path) for candidate in made]
    measured = measure_adapters(plan.session, plan.holdout, adapters, plan.listener)
    return Contest(tuple(_run(one, measured) for one in trained), measured.yardstick)


def _train(plan: ComparePlan) -> Iterator[Trained]:
    """Every seed's answers once, then an adapter of them by each method."""
    model = plan.session.config.model
    plan.listener.begin(f"load {model.name}")
    base = LocalSampler.load(model.name, plan.session.cache_dir, device=model.device)
    for seed in plan.seeds:
        swept = _sweep(plan, base, seed)
        for method in plan.methods:
            try:
                sets = _select(plan, swept, seed, method)
            except TrainingError as exc:
                yield Trained(method, seed, None, str(exc))
                continue
            plan.listener.begin(f"{method}, seed {seed}")
            training = _settings(plan.session.config, method, seed)
            if plan.equal_steps:
                training = _more_steps(training, sets)
            yield train_once(plan.session, sets, training, plan.listener)


def _sweep(plan: ComparePlan, base: LocalSampler, seed: int) -> Watched:
    """The base on the training tasks: as logged if the same was asked before."""
    session = plan.session
    tasks = draw(plan.train, plan.train_tasks, seed)
    plan.listener.begin(f"ask {len(tasks)} training tasks, seed {seed}")
    watcher = Watcher(
        session.store,
        base,
        session.judge,
        sampling_settings(session.config, seed),
        plan.listener.advance,
        made_by=weights_of(session.config),
    )
    known = watcher.known(list(first_prompts(tasks)), RunKind.SWEEP)
    return known or watcher.tasks(tasks, RunKind.SWEEP)


def _select(plan: ComparePlan, swept: Watched, seed: int, method: str) -> SetSplit:
    """What a method learns from with this seed: as many of the same answers as any other, but where
    it learns sound ones only.

    All of these answers are of the training side, so there is nothing held out to keep away.
    """
    training = plan.session.config.training
    return select(
        swept.answers,
        (),
        most=training.max_answers,
        members=training.members,
        probes=training.probes,
        seed=seed,
        name_holdout=plan.session.config.prompts.name_holdout_share,
        sound=method_named(method).sound_only,
    )


def _settings(config: Config, method: str, seed: int) -> TrainSettings:
    return training_settings(override(config, training__method=method), seed)


def _more_steps(training: TrainSettings, sets: SetSplit) -> TrainSettings:
    """As many steps for a method without repaired answers as with them, or more."""
    if training.weights.repair:
        return training
    answers = len(sets.forget) + len(sets.retain)
    fewer = training.answers_per_step * answers // (answers + len(sets.forget))
    return replace(training, answers_per_step=max(1, fewer))


def _run(one: Trained, measured: Measured) -> MethodRun:
    """A run's figures, or why there are none."""
    bare = MethodRun(one.method, one.seed, None, one.failure, None, None, (), None)
    if one.candidate is None:
        return bare
    name = one.candidate.name
    bare = replace(bare, adapter=name, cost=_cost(one.candidate))
    figures = measured.whole(name)
    if figures is None:
        return replace(bare, failure=NO_NUMBERS)
    return replace(
        bare,
        figures=figures,
        objections=measured.objections(name),
        known_code=measured.known_code(name),
    )


def _cost(candidate: Candidate) -> Cost:
    facts = read_adapter(candidate.path).facts
    answers = facts["answers"]
    return Cost(
        answers=answers["forget"] + answers["retain"],
        forget=answers["forget"],
        answers_per_step=facts["settings"]["answers_per_step"],
        steps=candidate.steps,
        tokens=facts.get("tokens"),
        looks=len(facts["looks"]),
        train_s=candidate.train_s,
    )
