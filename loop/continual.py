"""CONTINUAL: several rounds in a row, by each way to build on the round before.

::

    Task, fresh in each round ─ask the way's model─▶ Answer ─select─▶ SetSplit
         ─unlearn, combine─▶ the way's next model ─score, evaluate on held-out tasks─▶ RoundRun

In round 1 all ways are the same: the base answers, and a fresh adapter is trained. No gate is run:
every round's model serves in the next one. It works in a home folder of its own. The same command
again samples, trains and scores nothing twice.
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
from ghostbust.loop.build import Chosen, sampling_settings, training_settings
from ghostbust.loop.compare import NO_NUMBERS, Measured, measure_adapters, train_once
from ghostbust.loop.round_steps import choose_sets
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.prompts import Task
from ghostbust.records import Answer, Candidate, SetSplit
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.adapters import write_merged, write_stacked
from ghostbust.unlearners.settings import Former, TrainSettings


@dataclass(frozen=True)
class ContinualPlan:
    """What is compared, and on what."""

    session: Session
    """of the bench's own home folder; the model runs in this process"""
    ways: Sequence[Way]
    rounds: int
    train: Sequence[Task]
    train_tasks: int
    """so many are asked in each round, other ones each time"""
    holdout: Sequence[Task]
    """all are asked"""
    seed: int
    """draws the tasks and the answers; round k trains with seed + k - 1"""
    listener: Listener


@dataclass(frozen=True, slots=True)
class _Made:
    """The result of one round of one way."""

    way: Way
    number: int
    serves: Chosen | None
    """after it; None: the base"""
    lesson: Lesson | None
    failure: str = ""


def compare_ways(plan: ContinualPlan) -> Continual:
    """The rounds of each way, and what they made beside the base.

    A round that fails has a reason instead of figures. It leaves the way's model as it was, and the
    next round follows. Raises UsageError, before anything is loaded, where there are too few tasks.
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
    """The rounds of one way, from the base on: ask what serves, then learn from all answers."""
    session = plan.session
    said: list[Answer] = []
    serves: Chosen | None = None
    for number, tasks in enumerate(portions, 1):
        plan.listener.begin(f"{way}, round {number}: ask {len(tasks)} fresh tasks")
        model = session.load_local(None if way is Way.STATIC else serves)
        settings = sampling_settings(session.config, plan.seed)
        watcher = session.watcher(model, settings, plan.listener, weights=True)
        said += watcher.tasks(tasks, RunKind.SWEEP, reuse=True).answers
        made = _learn(plan, way, number, serves, said)
        yield made
        serves = made.serves


def _learn(
    plan: ContinualPlan, way: Way, number: int, serves: Chosen | None, said: Sequence[Answer]
) -> _Made:
    """The round's training, and what serves then.

    A fresh adapter learns from all answers so far; one that is built on what serves from those of
    that one and of the base. All are of train-side tasks: no held-out prompts have to be kept away.
    """
    session, config = plan.session, plan.session.config
    training = training_settings(config, plan.seed + number - 1)
    if way is Way.STATIC:
        training = replace(training, max_answers=number * training.max_answers)
    former, own = None, None if serves is None else serves[0]
    if serves is not None and not way.fresh:
        former = Former(serves[1], fixed=way is not Way.CONTINUE)
    if not way.fresh:
        said = [answer for answer in said if answer.sample.adapter in (None, own)]
    try:
        sets = choose_sets(config, training, said, former=former)
        trained = train_once(session, sets, training, plan.listener, former)
        if trained.candidate is None:
            return _Made(way, number, serves, None, trained.failure)
        chosen, kept = _combine(way, serves, trained.candidate, training)
    except (TrainingError, ModelError) as exc:
        return _Made(way, number, serves, None, str(exc))
    return _Made(way, number, chosen, _lesson(trained.candidate, sets, own, chosen, kept))


def _combine(
    way: Way, serves: Chosen | None, candidate: Candidate, training: TrainSettings
) -> tuple[Chosen, float | None]:
    """What serves after the round, and the share of the norm that merging kept.

    An adapter that was trained on top of another is of no use without it.
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
    served: str | None,
    serves: Chosen,
    kept_norm: float | None,
) -> Lesson:
    """``served``: the adapter whose answers were learnt from; None: the base."""
    learnt = sets.forget + sets.retain
    facts = read_adapter(serves[1]).facts
    return Lesson(
        answers=len(learnt),
        forget=len(sets.forget),
        own=sum(answer.sample.adapter == served for answer in learnt),
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
