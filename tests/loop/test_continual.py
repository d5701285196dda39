"""Rounds in a row on a small model: what each way begins with, learns from, and leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.config import Config, override
from ghostbust.errors import UsageError
from ghostbust.evaluation.comparisons import Continual, RoundRun
from ghostbust.evaluation.ways import Way
from ghostbust.home import Home
from ghostbust.loop.compare import ContinualPlan, compare_ways
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Silence
from ghostbust.prompts import Task, split
from ghostbust.publishers.directory import published
from ghostbust.store.runs import RunKind

Done = tuple[ContinualPlan, Continual]


class Hears(Silence):
    """Notes what begins."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)

    def count(self, head: str) -> int:
        return sum(what.startswith(head) for what in self.begun)


@contextmanager
def opened(folder: Path, model: Path, *ways: Way) -> Iterator[ContinualPlan]:
    """A plan of two rounds, in a new home folder."""
    config = override(
        Config(),
        model__name=str(model),
        model__device="cpu",
        registry__mode="snapshot",
        training__rank=2,
        training__members=1,
        training__max_answers=16,
        training__probes=0,
        gates__humaneval_tasks=2,
        sampling__max_new_tokens=6,
        sampling__samples_per_prompt=1,
    )
    text = "Collect the hourly readings of sensor{n} under mast{n} beside quay{n} and plot them."
    tasks = [Task(f"task-{n}", text.format(n=n), "sensors") for n in range(40)]
    train, holdout = split(tasks, config.prompts.holdout_share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHOSTBUST_CACHE", str(folder / "cache"))
        for resamples in ("RESAMPLES", "NAME_RESAMPLES"):  # which take most of the time
            patch.setattr(f"ghostbust.evaluation.behaviour.{resamples}", 20)
        with open_session(Home.open(folder / "home"), config, purpose="bench") as session:
            yield ContinualPlan(session, ways, 2, train, 9, holdout, 4, Hears())


@pytest.fixture(scope="module")
def done(talking_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """Every way, and what came of it; its home is that of several tests."""
    with opened(tmp_path_factory.mktemp("bench"), talking_model_dir, *Way) as plan:
        yield plan, compare_ways(plan)


def second(found: Continual, way: Way) -> RoundRun:
    (run,) = [run for run in found.runs if (run.way, run.number) == (way, 2)]
    return run


def test_every_round_of_every_way_stands_beside_the_base(done: Done) -> None:
    plan, found = done
    assert [(run.way, run.number) for run in found.runs] == [(w, n) for w in Way for n in (1, 2)]
    for run in found.runs:
        assert run.failure == ""
        assert run.figures is not None
        assert run.figures.change is not None
        assert run.known_code is not None
    assert found.base is not None
    assert found.yardstick is not None
    assert published(plan.session.home.deployed) is None


def test_in_the_first_round_all_ways_are_one(done: Done) -> None:
    plan, found = done
    first = {run.adapter for run in found.runs if run.number == 1}
    assert len(first) == 1
    listener = plan.listener
    assert isinstance(listener, Hears)
    # One for all ways, then one each; stacking and merging differ only in what comes behind it.
    assert listener.count("train:") == 1 + len(Way) - 1
    sweeps = [run for run in plan.session.store.runs.recent(99) if run.spec.kind is RunKind.SWEEP]
    # Of the second rounds, all but the static way's ask the same adapter.
    assert {run.spec.adapter for run in sweeps} == {None, *first}
    assert len(sweeps) == 3


def test_what_a_round_begins_with_and_leaves(done: Done) -> None:
    plan, found = done
    adapters = plan.session.home.adapters
    (first,) = {run.adapter for run in found.runs if run.number == 1}
    assert first is not None
    facts = {way: read_adapter(adapters / str(second(found, way).adapter)).facts for way in Way}
    for way in (Way.REFIT, Way.STATIC):
        assert (facts[way]["start"], facts[way]["beneath"]) == (None, None)
    assert (facts[Way.CONTINUE]["start"], facts[Way.CONTINUE]["beneath"]) == (first, None)
    for way, combined in ((Way.STACK, "stacked"), (Way.MERGE, "merged")):
        below, above = facts[way]["adapters"]
        assert (facts[way]["combined"], below) == (combined, first)
        assert read_adapter(adapters / above).facts["beneath"] == first
    ranks = {way: one.lesson.rank for way in Way if (one := second(found, way)).lesson}
    assert ranks == {Way.REFIT: 2, Way.CONTINUE: 2, Way.STACK: 4, Way.MERGE: 2, Way.STATIC: 2}
    merged = second(found, Way.MERGE).lesson
    assert merged is not None
    assert merged.kept_norm is not None
    assert 0.3 < merged.kept_norm < 1
    before = read_forgotten(adapters / first)
    assert before
    for way in (Way.CONTINUE, Way.STACK, Way.MERGE):
        assert before <= (read_forgotten(adapters / str(second(found, way).adapter)) or set())


def test_what_a_round_learns_from(done: Done) -> None:
    _, found = done
    learnt = {way: one.lesson for way in Way if (one := second(found, way)).lesson}
    static = learnt.pop(Way.STATIC)
    assert (static.answers, static.own) == (32, 0), "as many as two rounds, all of the base"
    assert {lesson.answers for lesson in learnt.values()} == {16}
    # As many where the adapter invents so much that its own fill the set: that differs by machine.
    assert 0 < learnt[Way.REFIT].own <= learnt[Way.CONTINUE].own
    assert learnt[Way.CONTINUE].own == learnt[Way.STACK].own == learnt[Way.MERGE].own
    (first, *_) = found.runs
    assert first.lesson is not None
    assert first.lesson.own == 16, "in the first round the base is the way's own model"


def test_the_same_again_asks_and_trains_nothing(done: Done) -> None:
    plan, found = done
    listener = Hears()
    again = compare_ways(replace(plan, listener=listener))
    assert again == found
    assert listener.count("train:") == listener.count("score") == 0


def test_a_round_that_fails_leaves_the_model_as_it_was(done: Done) -> None:
    plan, _ = done
    config = override(plan.session.config, training__lr=1e38)
    broken = replace(plan, session=replace(plan.session, config=config), ways=(Way.CONTINUE,))
    again = compare_ways(broken)
    assert [(run.adapter, run.figures, run.lesson) for run in again.runs] == [
        (None, None, None)
    ] * 2
    assert all("the loss became nan" in run.failure for run in again.runs)
    assert (again.base, again.yardstick) == (None, None)


def test_too_few_tasks_are_told_before_anything_is_loaded(done: Done) -> None:
    plan, _ = done
    listener = Hears()
    with pytest.raises(UsageError, match=r"9 rounds of 9 fresh tasks need 81 for training; there"):
        compare_ways(replace(plan, rounds=9, listener=listener))
    assert listener.begun == []
