"""CONTINUAL: several rounds in a row, by each way to build on the round before.

::

    Task, fresh in each round ─ask the way's model─▶ Answer ─select─▶ SetSplit
         ─unlearn, combine─▶ the way's next model ─score, evaluate on held-out tasks─▶ RoundRun

In round 1 all ways are one: the base answers, and a fresh adapter of it is trained. No gate is
asked: every round's model is the next one's. It works in a bench's home folder; what is there of
the same command is not sampled, trained or scored again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.adapters import MANIFEST, read_adapter
from ghostbust.errors import ModelError, TrainingError, UsageError
from ghostbust.evaluation.comparisons import Continual, Lesson, RoundRun
from ghostbust.evaluation.figures import BASE
from ghostbust.evaluation.ways import Way
from ghostbust.loop.build import sampling_settings, training_settings
from ghostbust.loop.compare import NO_NUMBERS, Measured, measure_adapters, train_once
from ghostbust.loop.evaluate import Chosen, load_local, weights_of
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Answer, Candidate, SetSplit
from ghostbust.store.rows import RunKind
from ghostbust.unlearners.adapters import Former, write_merged, write_stacked
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import TrainSettings


@dataclass(frozen=True)
class ContinualPlan:
    """What is compared, and on what."""

    session: Session
    """of the bench's own home folder; the model runs in this process"""
    ways: Sequence[Way]
    rounds: int
    train: Sequence[Task]
    train_tasks: int
    """so many are asked in each round, in every one others"""
    holdout: Sequence[Task]
    """all are asked"""
    seed: int
    """draws the tasks and the answers; round k trains with seed + k - 1"""
    listener: Listener


@dataclass(frozen=True, slots=True)
class _Made:
    """What one round of one way came to."""

    way: Way
    number: int
    serves: Chosen | None
    """after it; None: the base"""
    lesson: Lesson | None
    failure: str = ""


def compare_ways(plan: ContinualPlan) -> Continual:
    """The rounds of each way, and all that came of them beside the base.

    A round that fails is a round with a reason: it leaves the way's model as it was, and the next
    one follows. Raises UsageError, before anything is loaded, where there are too few tasks.
    """
    portions = _portions(plan)
    made = [one for way in plan.ways for one in _rounds(plan, way, portions)]
    adapters = list(dict.fromkeys(one.serves for one in made if one.serves and not one.failure))
    measured = measure_adapters(plan.session, plan.holdout, adapters, plan.listener)
    runs = tuple(_run(one, measured) for one in made)
    return Continual(runs, measured.whole(BASE), measured.yardstick)


def _portions(plan: ContinualPlan) -> list[list[Task]]:
    """Each round's tasks; no task comes twice."""
    wanted = plan.rounds * plan.train_tasks
    if wanted > len(plan.train):
        raise UsageError(
            f"{plan.rounds} rounds of {plan.train_tasks} fresh tasks need {wanted} for training; "
            f"there are {len(plan.train)}: give more --prompts, or fewer --train-tasks"
        )
    order = list(plan.train)
    random.Random(plan.seed).shuffle(order)  # noqa: S311
    return [order[start : start + plan.train_tasks] for start in range(0, wanted, plan.train_tasks)]


def _rounds(plan: ContinualPlan, way: Way, portions: Sequence[Sequence[Task]]) -> Iterator[_Made]:
    """One way from the base on."""
    heard: list[Answer] = []
    serves: Chosen | None = None
    for number, tasks in enumerate(portions, 1):
        heard += _ask(plan, way, number, None if way is Way.STATIC else serves, tasks)
        made = _learn(plan, way, number, serves, heard)
        yield made
        serves = made.serves


def _ask(
    plan: ContinualPlan, way: Way, number: int, serves: Chosen | None, tasks: Sequence[Task]
) -> tuple[Answer, ...]:
    """A model's answers to the round's tasks: as logged if the same was asked before."""
    session = plan.session
    plan.listener.begin(f"{way}, round {number}: ask {len(tasks)} fresh tasks")
    watcher = Watcher(
        session.store,
        load_local(session, serves),
        session.judge,
        sampling_settings(session.config, plan.seed),
        plan.listener.advance,
        made_by=weights_of(session.config),
    )
    known = watcher.known(list(first_prompts(tasks)), RunKind.SWEEP)
    return (known or watcher.tasks(tasks, RunKind.SWEEP)).answers


def _learn(
    plan: ContinualPlan, way: Way, number: int, serves: Chosen | None, heard: Sequence[Answer]
) -> _Made:
    """The round's training, and what serves then."""
    training = training_settings(plan.session.config, plan.seed + number - 1)
    if way is Way.STATIC:
        training = replace(training, max_answers=number * training.max_answers)
    try:
        sets = _select(plan, way, serves, heard, training)
        former = _former(way, serves)
        trained = train_once(plan.session, sets, training, plan.listener, former)
        if trained.candidate is None:
            return _Made(way, number, serves, None, trained.failure)
        chosen, kept = _combine(way, serves, trained.candidate, training)
    except (TrainingError, ModelError) as exc:
        return _Made(way, number, serves, None, str(exc))
    return _Made(way, number, chosen, _lesson(trained.candidate, sets, serves, chosen, kept))


def _select(
    plan: ContinualPlan,
    way: Way,
    serves: Chosen | None,
    heard: Sequence[Answer],
    training: TrainSettings,
) -> SetSplit:
    """What the round learns from: a fresh adapter, of all that was heard; else as a round of the
    line that begins with what serves, of what that one and the base answered.

    All of these answers are of the training side, so there is nothing held out to keep away.
    """
    own = None if serves is None else serves[0]
    if not way.fresh:
        heard = [answer for answer in heard if answer.sample.adapter in (None, own)]
    return select(
        heard,
        (),
        most=training.max_answers,
        members=training.members,
        probes=plan.session.config.training.probes,
        seed=training.seed,
        first=None if way.fresh else own,
        name_holdout=plan.session.config.prompts.name_holdout_share,
        sound=method_named(training.method).sound_only,
    )


def _former(way: Way, serves: Chosen | None) -> Former | None:
    if serves is None or way.fresh:
        return None
    return Former(serves[1], fixed=way is not Way.CONTINUE)


def _combine(
    way: Way, serves: Chosen | None, candidate: Candidate, training: TrainSettings
) -> tuple[Chosen, float | None]:
    """What serves after the round, and the share of the norm that merging kept.

    An adapter that was trained on top of another does nothing sensible without it.
    """
    if serves is None or way.fresh or way is Way.CONTINUE:
        return (candidate.name, candidate.path), None
    folder = candidate.path.with_name(f"{way}-{candidate.name}")
    parts = [serves[1], candidate.path]
    if not (folder / MANIFEST).is_file():
        if way is Way.STACK:
            write_stacked(folder, parts)
        else:
            write_merged(
                folder, parts, rank=training.rank, alpha=training.alpha, rslora=training.rslora
            )
    return (folder.name, folder), read_adapter(folder).facts.get("kept_norm")


def _lesson(
    candidate: Candidate,
    sets: SetSplit,
    served: Chosen | None,
    serves: Chosen,
    kept_norm: float | None,
) -> Lesson:
    learnt = sets.forget + sets.retain
    own = None if served is None else served[0]
    facts = read_adapter(serves[1]).facts
    return Lesson(
        answers=len(learnt),
        forget=len(sets.forget),
        own=sum(answer.sample.adapter == own for answer in learnt),
        steps=candidate.steps,
        train_s=candidate.train_s,
        rank=facts["rank"] if "rank" in facts else facts["settings"]["rank"],
        kept_norm=kept_norm,
    )


def _run(one: _Made, measured: Measured) -> RoundRun:
    """A round's figures, or why there are none."""
    name = None if one.serves is None else one.serves[0]
    figures = None if name is None or one.failure else measured.whole(name)
    if name is None or figures is None:
        failure = one.failure or NO_NUMBERS
        return RoundRun(one.way, one.number, name, failure, one.lesson, None, (), None)
    return RoundRun(
        way=one.way,
        number=one.number,
        adapter=name,
        failure="",
        lesson=one.lesson,
        figures=figures,
        objections=measured.objections(name),
        known_code=measured.known_code(name),
    )
