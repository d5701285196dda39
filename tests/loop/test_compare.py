"""Two methods, and rounds in a row, on a small model: what is shared, kept, and what fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.config import Config, override
from ghostbust.errors import ConfigError, HomeError, ModelError, TrainingError, UsageError
from ghostbust.evaluation.comparators import BEFORE, INSTRUCTION, OPERATOR, comparators
from ghostbust.evaluation.comparisons import Contest, Continual, Cost, RoundRun
from ghostbust.evaluation.ways import Way
from ghostbust.gates.tasks import load_tasks
from ghostbust.home import Home
from ghostbust.loop.build import sampling_settings, training_settings
from ghostbust.loop.compare import (
    KEPT,
    TRAINER,
    ComparePlan,
    ContinualPlan,
    Measured,
    compare_methods,
    compare_ways,
    kept_scores,
    measure_adapters,
    score_known_code,
    train_once,
)
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Silence
from ghostbust.models.fetch import humaneval_tasks
from ghostbust.prompts import Task, split
from ghostbust.publishers.directory import published
from ghostbust.records import SetSplit
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import Former
from tests.loop.rounds import Heard

METHODS = ("au-repair", "ga")
Done = tuple[ComparePlan, Contest]


@pytest.fixture(scope="module")
def config(talking_model_dir: Path) -> Config:
    return override(
        Config(),
        model__name=str(talking_model_dir),
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


@contextmanager
def opened(folder: Path, config: Config) -> Iterator[ComparePlan]:
    """A plan for two methods and one seed, in a new home folder."""
    text = "Collect the hourly readings of sensor{n} under mast{n} beside quay{n} and plot them."
    tasks = [Task(f"task-{n}", text.format(n=n), "sensors") for n in range(40)]
    train, holdout = split(tasks, config.prompts.holdout_share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHOSTBUST_CACHE", str(folder / "cache"))
        for resamples in ("RESAMPLES", "NAME_RESAMPLES"):  # which take most of the time
            patch.setattr(f"ghostbust.evaluation.behaviour.{resamples}", 20)
        with open_session(Home.open(folder / "home"), config, purpose="bench") as session:
            yield ComparePlan(session, METHODS, (4,), train, 12, holdout, False, 2, Heard())


@pytest.fixture
def plan(config: Config, tmp_path: Path) -> Iterator[ComparePlan]:
    """In a home where nothing is yet."""
    with opened(tmp_path, config) as plan:
        yield plan


@pytest.fixture(scope="module")
def done(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    """A plan and what came of it; its home is that of several tests."""
    with opened(tmp_path_factory.mktemp("bench"), config) as plan:
        yield plan, compare_methods(plan)


def costs(found: Contest) -> dict[str, Cost]:
    return {run.method: run.cost for run in found.runs if run.cost is not None}


def again(plan: ComparePlan) -> tuple[Contest, Heard]:
    listener = Heard()
    return compare_methods(replace(plan, listener=listener)), listener


def test_methods_learn_from_the_same_answers_and_stand_beside_the_same_base(done: Done) -> None:
    plan, found = done
    assert [(run.method, run.seed, run.failure) for run in found.runs] == [
        ("au-repair", 4, ""), ("ga", 4, ""),
    ]  # fmt: skip
    session = plan.session
    facts = [read_adapter(session.home.adapters / str(run.adapter)).facts for run in found.runs]
    assert facts[0]["answers"] == facts[1]["answers"]
    assert {fact["settings"]["learning_rate"] for fact in facts} == {8e-4}
    for run in found.runs:
        assert run.figures is not None
        assert run.figures.change is not None
        assert run.figures.families == len(plan.holdout)
        assert run.known_code is not None
    assert found.yardstick is not None
    cost = costs(found)
    assert cost["au-repair"].answers == cost["ga"].answers == 16
    assert cost["au-repair"].steps == -(-(16 + cost["ga"].forget) // 8)
    assert cost["ga"].steps == -(-16 // 8)
    tokens = cost["ga"].tokens, cost["au-repair"].tokens
    assert tokens[0] is not None
    assert tokens[1] is not None
    assert 0 < tokens[0] < tokens[1], "repaired answers are more tokens"
    kinds = {run.spec.kind for run in session.store.runs.recent()}
    assert kinds == {RunKind.SWEEP, RunKind.EVAL}
    for round_ in session.store.rounds.recent():
        assert (round_.state, round_.reason, round_.verdict) == (RoundState.REJECTED, KEPT, None)
    assert not session.home.deployed.exists()


def test_a_method_that_learns_sound_answers_only_chooses_them_itself(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, asked = done[0], list[bool]()

    def noted(*_: Any, sound: bool, **__: Any) -> SetSplit:
        asked.append(sound)
        raise TrainingError("enough")

    monkeypatch.setattr("ghostbust.loop.round_steps.select", noted)
    found, _ = again(replace(plan, methods=("au-heard", "ga")))
    assert asked == [True, False]
    assert [run.failure for run in found.runs] == ["enough"] * 2


def test_what_is_there_is_not_made_again(done: Done) -> None:
    plan, first = done
    runs = len(plan.session.store.runs.recent())
    second, listener = again(plan)
    assert listener.count("train:") == listener.count("score") == 0
    assert [run.adapter for run in second.runs] == [run.adapter for run in first.runs]
    assert [run.cost for run in second.runs] == [run.cost for run in first.runs]
    assert len(plan.session.store.runs.recent()) == runs
    more, listener = again(replace(plan, methods=("ga", "npo"), holdout=plan.holdout[1:]))
    assert (listener.count("train:"), listener.count("score")) == (1, 1)
    assert more.runs[0].adapter == first.runs[1].adapter


def interrupt() -> None:
    raise KeyboardInterrupt


def test_other_settings_are_another_run(done: Done) -> None:
    plan, _ = done
    config = override(plan.session.config, training__rank=3)
    other, listener = replace(plan.session, config=config), Heard(interrupt)
    with pytest.raises(KeyboardInterrupt):
        compare_methods(replace(plan, methods=("ga",), session=other, listener=listener))
    assert listener.count("train:") == 1


def test_steps_can_be_equal_instead_of_batches(done: Done) -> None:
    plan, _ = done
    found, _ = again(replace(plan, equal_steps=True))
    assert [run.failure for run in found.runs] == ["", ""]
    cost = costs(found)
    assert cost["au-repair"].answers_per_step == 8
    assert cost["ga"].answers_per_step == 8 * 16 // (16 + cost["ga"].forget)
    assert cost["ga"].steps >= cost["au-repair"].steps
    assert cost["ga"].answers == cost["au-repair"].answers


def test_a_run_that_fails_is_a_row_and_tried_again(plan: ComparePlan) -> None:
    config = override(plan.session.config, training__lr=1e38)
    broken = replace(plan.session, config=config)
    for tries in (1, 2):
        found, listener = again(replace(plan, session=broken))
        assert listener.count("train:") == 2
        assert {(run.adapter, run.figures) for run in found.runs} == {(None, None)}
        assert all("the loss became nan" in run.failure for run in found.runs)
        rounds = plan.session.store.rounds.recent()
        assert len(rounds) == 2 * tries
        assert {one.state for one in rounds} == {RoundState.FAILED}
    assert list(plan.session.home.adapters.iterdir()) == []


def test_without_an_invention_there_is_nothing_to_train(plan: ComparePlan) -> None:
    nothing = override(plan.session.config, sampling__max_new_tokens=1, sampling__temperature=0)
    silent = replace(plan, session=replace(plan.session, config=nothing), train_tasks=1)
    found, _ = again(silent)
    assert [run.method for run in found.runs] == list(METHODS)
    assert all(run.failure.startswith("nothing to") for run in found.runs)


def test_predictions_that_are_no_numbers_are_not_sampled(done: Done) -> None:
    plan, first = done
    broken = str(first.runs[1].adapter)
    file = kept_scores(plan.session, (broken, plan.session.home.adapters / broken))
    kept = file.read_text("utf-8")
    file.write_text(json.dumps(dict.fromkeys(json.loads(kept), (float("nan"), 9))), "utf-8")
    found, listener = again(plan)
    file.write_text(kept, "utf-8")
    assert listener.count(f"ask {broken}") == 0
    failed = {run.adapter: (run.failure, run.figures) for run in found.runs if run.failure}
    assert failed == {broken: ("the adapter's predictions aren't numbers", None)}
    assert found.runs[0].figures is not None


def test_an_interrupted_command_goes_on_where_it_was(plan: ComparePlan) -> None:
    plan = replace(plan, methods=("ga",))
    with pytest.raises(KeyboardInterrupt):
        compare_methods(replace(plan, listener=Heard(interrupt)))
    (round_,) = plan.session.store.rounds.recent()
    assert (round_.state, round_.reason) == (RoundState.FAILED, "KeyboardInterrupt")
    assert list(plan.session.home.adapters.iterdir()) == []
    found, _ = again(plan)
    assert [run.failure for run in found.runs] == [""]
    kinds = [run.spec.kind for run in plan.session.store.runs.recent()]
    assert kinds.count(RunKind.SWEEP) == 1


def test_an_unknown_method_is_said_before_anything_is_loaded(plan: ComparePlan) -> None:
    listener = Heard()
    with pytest.raises(UsageError, match="--method: should be 'au-heard', "):
        compare_methods(replace(plan, methods=("ga", "npos"), listener=listener))
    assert listener.begun == []


def test_each_learning_rate_is_a_row_but_for_the_settings_own_method(done: Done) -> None:
    plan, first = done
    own = plan.session.config.training
    config = override(plan.session.config, training__method="au-repair")
    session = replace(plan.session, config=config)
    found, listener = again(replace(plan, session=session, rates=(own.lr, 1e-5)))
    assert [run.method for run in found.runs] == ["au-repair", "ga@0.0008", "ga@1e-05"]
    assert set(found.by_method()) == {"au-repair", "ga@0.0008", "ga@1e-05"}
    assert [run.adapter for run in found.runs[:2]] == [run.adapter for run in first.runs]
    assert listener.count("train:") == 1, "the others were trained with that rate before"
    facts = read_adapter(session.home.adapters / str(found.runs[2].adapter)).facts
    assert facts["settings"]["learning_rate"] == 1e-5
    with pytest.raises(ConfigError, match="--lr: "):
        again(replace(plan, session=session, rates=(0.0,)))


def test_the_base_asked_in_another_way_stands_beside_the_same_base(done: Done) -> None:
    plan, first = done
    ways = comparators(plan.session.config.sampling.temperature)
    trains_nothing = replace(plan, methods=(), comparators=ways)
    found, listener = again(trains_nothing)
    assert found.runs == ()
    assert found.yardstick == first.yardstick, "the base's own answers are none of theirs"
    names = ["base@0", "base@0.3", "base@0.5", "base-instructed", "base-instructed-last"]
    assert [one.figures.model for one in found.untrained] == names
    greedy, *sampled = (one.figures for one in found.untrained)
    assert found.yardstick is not None
    assert {one.answers for one in sampled} == {found.yardstick.answers}
    assert greedy.answers * plan.holdout_samples == found.yardstick.answers
    for one in (greedy, *sampled):
        assert one.families == len(plan.holdout)
        assert one.change is not None
    store = plan.session.store
    sent = [
        answer.sample.prompt
        for run in store.runs.recent(99)
        for answer in store.answers.read(run_id=run.id)
        if answer.sample.prompt.operator == OPERATOR
    ]
    assert {INSTRUCTION in prompt.text for prompt in sent} == {True}
    assert {prompt.family for prompt in sent} == {task.id for task in plan.holdout}
    assert (listener.count(f"ask {BEFORE} at"), listener.count("train:")) == (1, 0)
    runs = len(store.runs.recent(99))
    again(trains_nothing)
    assert len(store.runs.recent(99)) == runs


def test_each_side_has_answers_of_its_own_number(done: Done) -> None:
    plan, _ = done
    runs = plan.session.store.runs.recent(99)
    asked = {run.spec.kind: run.spec.settings["samples_per_prompt"] for run in runs[::-1]}
    assert asked == {RunKind.SWEEP: 1, RunKind.EVAL: plan.holdout_samples}


LEAVES_LORA = """
import json, os, pathlib, shutil
for path in pathlib.Path(READY).glob("adapter_*"):
    shutil.copy(path, os.environ["GHOSTBUST_TRAINER_ADAPTER"])
metrics = pathlib.Path(os.environ["GHOSTBUST_TRAINER_METRICS"])
metrics.write_text(json.dumps({"steps": 7, "losses": [1.5], "train_s": 3.5}))
"""


def test_only_the_row_of_the_trainer_is_trained_by_it(
    plan: ComparePlan, make_lora: Callable[..., Path], talking_model_dir: Path, tmp_path: Path
) -> None:
    ready = make_lora(tmp_path / "ready", talking_model_dir, size=0.1, rank=2)
    program = LEAVES_LORA.replace("READY", repr(str(ready)))
    config = override(plan.session.config, trainer__command=(sys.executable, "-c", program))
    by_command = replace(plan, session=replace(plan.session, config=config))
    found, _ = again(replace(by_command, methods=("ga", TRAINER)))
    assert [(run.method, run.failure) for run in found.runs] == [("ga", ""), (TRAINER, "")]
    folders = [plan.session.home.adapters / str(run.adapter) for run in found.runs]
    assert ["trainer" in read_adapter(folder).facts for folder in folders] == [False, True]
    assert found.runs[1].cost is not None
    cost = found.runs[1].cost
    assert (cost.steps, cost.looks, cost.answers_per_step) == (7, 0, None)
    (ready / "adapter_config.json").unlink()
    changed = override(config, trainer__command=(sys.executable, "-c", program + "pass"))
    other = replace(plan, session=replace(plan.session, config=changed), methods=(TRAINER,))
    (run,) = again(other)[0].runs
    assert run.adapter is None, "another program isn't the one that trained before"
    assert "adapter_config.json" in run.failure
    with pytest.raises(UsageError, match=r"set trainer\.command"):
        again(replace(plan, methods=(TRAINER,)))


# --- one training, one scoring


def test_the_same_is_trained_once_and_another_start_is_another(plan: ComparePlan) -> None:
    session = plan.session
    settings = replace(sampling_settings(session.config, 0), max_new_tokens=6)
    watcher = session.watcher(session.load_local(), settings, Silence(), weights=False)
    answers = watcher.tasks(plan.train[:12], RunKind.SWEEP).answers
    sets = select(answers, (), most=12, probes=0, seed=0)
    training = training_settings(session.config, 3)
    first = train_once(session, sets, training, Silence())
    assert first.candidate is not None
    assert (first.method, first.seed, first.failure) == (training.method, 3, "")
    assert train_once(session, sets, training, Silence()) == first
    made = {first.candidate.name}
    for fixed in (False, True):
        former = Former(first.candidate.path, fixed)
        then = train_once(session, sets, training, Silence(), former)
        assert then.candidate is not None
        assert train_once(session, sets, training, Silence(), former) == then
        made.add(then.candidate.name)
    rounds = session.store.rounds.recent()
    assert {one.adapter for one in rounds} == made
    assert {(one.state, one.reason) for one in rounds} == {(RoundState.REJECTED, KEPT)}
    assert len(rounds) == 3
    # A start that doesn't fit is a failure with a reason, and one that is gone is an error.
    wider = training_settings(override(session.config, training__rank=4), 3)
    failed = train_once(session, sets, wider, Silence(), Former(first.candidate.path))
    assert failed.candidate is None
    assert "has rank 2" in failed.failure
    gone = Former(session.home.adapters / "gone", fixed=True)
    with pytest.raises(ModelError, match="not a complete ghostbust adapter"):
        train_once(session, sets, wider, Silence(), gone)
    assert session.store.rounds.recent(1)[0].state is RoundState.FAILED


def test_without_an_adapter_nothing_is_measured(plan: ComparePlan) -> None:
    measured = measure_adapters(plan, [])
    assert measured == Measured({}, None)
    assert (measured.yardstick, measured.whole("a")) == (None, None)


def test_scores_are_the_models_own_and_kept_for_the_same_tasks(plan: ComparePlan) -> None:
    session, listener = plan.session, Heard()
    first = score_known_code(session, [None], listener)
    assert listener.begun == ["score 2 canonical solutions with base"]
    assert score_known_code(session, [None], listener) == first
    assert len(listener.begun) == 1
    assert set(first) == {"base"}
    (file,) = (session.home.path / "scores").iterdir()
    (task, *_) = load_tasks(humaneval_tasks(session.cache_dir))
    own = session.load_local().score([(task.prompt, task.canonical_solution)])
    assert first["base"][task.task_id].nll == pytest.approx(own[0].nll, rel=0.01)
    assert oct(file.parent.stat().st_mode & 0o777) == "0o700"
    for text in ("{", '{"a": 3}', "[]"):
        file.write_text(text, "utf-8")
        with pytest.raises(HomeError, match="remove it"):
            score_known_code(session, [None], Silence())
    one = replace(session, config=override(session.config, gates__humaneval_tasks=1))
    assert len(score_known_code(one, [None], listener)["base"]) == 1
    assert len(listener.begun) == 2


# --- rounds in a row

InARow = tuple[ContinualPlan, Continual]


@pytest.fixture(scope="module")
def in_a_row(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InARow]:
    """Two rounds of every way, and what came of them; its home is that of several tests."""
    with opened(tmp_path_factory.mktemp("bench"), config) as one:
        plan = ContinualPlan(one.session, list(Way), 2, one.train, 9, one.holdout, 1, 4, Heard())
        yield plan, compare_ways(plan)


def second(found: Continual, way: Way) -> RoundRun:
    (run,) = [run for run in found.runs if (run.way, run.number) == (way, 2)]
    return run


def test_every_round_of_every_way_stands_beside_the_base(in_a_row: InARow) -> None:
    plan, found = in_a_row
    assert [(run.way, run.number) for run in found.runs] == [(w, n) for w in Way for n in (1, 2)]
    for run in found.runs:
        assert run.failure == ""
        assert run.figures is not None
        assert run.figures.change is not None
        assert run.known_code is not None
    assert found.base is not None
    assert found.yardstick is not None
    assert published(plan.session.home.deployed) is None


def test_in_the_first_round_all_ways_are_one(in_a_row: InARow) -> None:
    plan, found = in_a_row
    first = {run.adapter for run in found.runs if run.number == 1}
    assert len(first) == 1
    listener = plan.listener
    assert isinstance(listener, Heard)
    # One for all ways, then one each; stacking and merging differ only in what comes behind it.
    assert listener.count("train:") == 1 + len(Way) - 1
    sweeps = [run for run in plan.session.store.runs.recent(99) if run.spec.kind is RunKind.SWEEP]
    # Of the second rounds, all but the static way's ask the same adapter.
    assert {run.spec.adapter for run in sweeps} == {None, *first}
    assert len(sweeps) == 3


def test_what_a_round_begins_with_and_leaves(in_a_row: InARow) -> None:
    plan, found = in_a_row
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


def test_what_a_round_learns_from(in_a_row: InARow) -> None:
    _, found = in_a_row
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


def test_the_same_again_asks_and_trains_nothing(in_a_row: InARow) -> None:
    plan, found = in_a_row
    listener = Heard()
    again = compare_ways(replace(plan, listener=listener))
    assert again == found
    assert listener.count("train:") == listener.count("score") == 0


def test_a_round_that_fails_leaves_the_model_as_it_was(in_a_row: InARow) -> None:
    plan, _ = in_a_row
    config = override(plan.session.config, training__lr=1e38)
    broken = replace(plan, session=replace(plan.session, config=config), ways=(Way.CONTINUE,))
    again = compare_ways(broken)
    assert [(run.adapter, run.figures, run.lesson) for run in again.runs] == [
        (None, None, None)
    ] * 2
    assert all("the loss became nan" in run.failure for run in again.runs)
    assert (again.base, again.yardstick) == (None, None)


def test_too_few_tasks_are_told_before_anything_is_loaded(in_a_row: InARow) -> None:
    plan, _ = in_a_row
    listener = Heard()
    with pytest.raises(UsageError, match=r"9 rounds of 9 fresh tasks need 81 for training; there"):
        compare_ways(replace(plan, rounds=9, listener=listener))
    assert listener.begun == []
