"""COMPARE: every unlearning method on answers of one model, and the figures of each.

::

    Task ─ask the base─▶ Answer ─select─▶ SetSplit ─unlearn by each method─▶ Candidate
         ─score, evaluate on held-out tasks─▶ MethodRun
    held-out task ─ask the base in another way─▶ Answer ─evaluate─▶ Untrained

It works in a home folder of its own, where nothing is gated and nothing serves: the rounds, the
ledger and the deployed adapter of the user's home stay as they are. The same command again samples,
trains and scores nothing twice.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import ghostbust
from ghostbust.adapters import MANIFEST, read_adapter, read_copy
from ghostbust.config import Config, override
from ghostbust.documents import parse_json
from ghostbust.errors import GhostbustError, HomeError, ModelError, TrainingError, UsageError
from ghostbust.evaluation.comparators import GUARD, Comparator, guarded
from ghostbust.evaluation.comparisons import (
    Contest,
    Continual,
    Cost,
    Lesson,
    MethodRun,
    RoundRun,
    Untrained,
    known_code,
)
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Figures
from ghostbust.evaluation.ways import Way
from ghostbust.files import write_whole
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores
from ghostbust.loop.build import (
    Chosen,
    benchmark_tasks,
    draw,
    sampling_settings,
    training_settings,
    weights_of,
)
from ghostbust.loop.evaluate import EvalPlan, evaluate_behaviour
from ghostbust.loop.round_steps import RoundPlan, choose_sets, train
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.prompts import Task
from ghostbust.records import Answer, Candidate, Score, SetSplit, content_id
from ghostbust.samplers.interface import AnswerGuard
from ghostbust.store.rounds import RoundState, sets_id
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.adapters import write_merged, write_stacked
from ghostbust.unlearners.settings import Former, TrainSettings

Run = TypeVar("Run", MethodRun, RoundRun)

HELD_OUT_SEED = 0
"""of the held-out answers, whatever seeds train: so every run stands beside the same base"""

NO_NUMBERS = "the adapter's predictions aren't numbers"
"""why an adapter has no figures"""

KEPT = "kept for comparison; a bench promotes nothing"

TRAINER = "trainer"
"""in the place of a method: the settings' ``trainer.command``"""


@dataclass(frozen=True)
class ComparePlan:
    """What is compared, and on what."""

    session: Session
    """of the bench's own home folder; the model runs in this process"""
    methods: Sequence[str]
    """names of methods, and `TRAINER`; all but the last train in this process"""
    seeds: Sequence[int]
    """each draws the training tasks, what the base says of them, the sets, and the training"""
    train: Sequence[Task]
    train_tasks: int
    """so many of them, at most, are asked with each seed"""
    holdout: Sequence[Task]
    """all are asked"""
    equal_steps: bool
    """smaller batches for methods without repaired answers: as many optimizer steps, or more"""
    holdout_samples: int
    """answers of each model to each held-out prompt"""
    listener: Listener
    rates: Sequence[float] = ()
    """learning rates with each of which the methods but the settings' own train; none: theirs"""
    comparators: Sequence[Comparator] = ()
    guard: AnswerGuard | None = None
    """under which the base and each adapter are measured, too; None: not"""


def compare_methods(plan: ComparePlan) -> Contest:
    """Trains by each method with each seed, and measures the adapters beside the base.

    A run that fails has a reason instead of figures, and the others go on. Raises UsageError or
    ConfigError, before anything is loaded, for a method or a rate that there can't be.
    """
    entrants = _entrants(plan)
    trained = list(_train(plan, entrants)) if entrants else []
    made = [one.candidate for one in trained if one.candidate is not None]
    adapters = [(candidate.name, candidate.path) for candidate in made]
    measured = measure_adapters(plan, adapters, plan.comparators, plan.guard)
    runs: list[MethodRun] = []
    under_guard: list[MethodRun] = []
    for one in trained:
        run = MethodRun(one.method, one.seed, None, one.failure, None, None, (), None)
        if one.candidate is not None:
            name = one.candidate.name
            run = replace(run, adapter=name, cost=_cost(one.candidate))
            run = measured.beside_base(run, name)
        runs.append(run)
        if plan.guard is not None and run.figures is not None and run.adapter is not None:
            held = replace(run, method=guarded(run.method), cost=None)
            under_guard.append(measured.beside_base(held, run.adapter, guarded(run.adapter)))
    names = [one.name for one in plan.comparators]
    if plan.guard is not None:
        names.insert(0, GUARD)
    runs += under_guard
    return Contest(tuple(runs), measured.yardstick, tuple(map(measured.untrained, names)))


def _entrants(plan: ComparePlan) -> dict[str, Config]:
    """The settings of all that trains, by name: a method, ``method@rate``, or `TRAINER`."""
    own = plan.session.config
    here = own.model_copy(update={"trainer": own.trainer.model_copy(update={"command": ()})})
    found: dict[str, Config] = {}
    for method in plan.methods:
        if method == TRAINER:
            if not own.trainer.command:
                raise UsageError("--method trainer: set trainer.command, the program that trains")
            found[method] = own
            continue
        config = override(here, training__method=method)
        if method == own.training.method or not plan.rates:
            found[method] = config
            continue
        for rate in plan.rates:
            found[f"{method}@{rate:g}"] = override(config, training__lr=rate)
    return found


def _train(plan: ComparePlan, entrants: Mapping[str, Config]) -> Iterator[Trained]:
    """The answers to each seed's tasks, then an adapter of them by each entrant."""
    session, config = plan.session, plan.session.config
    plan.listener.begin(f"load {config.model.name}")
    base = session.load_local()
    for seed in plan.seeds:
        tasks = draw(plan.train, plan.train_tasks, seed)
        plan.listener.begin(f"ask {len(tasks)} training tasks, seed {seed}")
        settings = sampling_settings(config, seed)
        watcher = session.watcher(base, settings, plan.listener, weights=True)
        answers = watcher.tasks(tasks, RunKind.SWEEP, reuse=True).answers
        for name, own in entrants.items():
            training = training_settings(own, seed)
            try:
                # All answers are of train-side tasks, so no held-out prompts have to be kept away.
                sets = choose_sets(own, training, answers)
            except TrainingError as exc:
                yield Trained(name, seed, None, str(exc))
                continue
            plan.listener.begin(f"{name}, seed {seed}")
            if plan.equal_steps and not training.weights.repair:
                answers_in_all = len(sets.forget) + len(sets.retain)
                fewer = training.answers_per_step * answers_in_all
                fewer //= answers_in_all + len(sets.forget)
                training = replace(training, answers_per_step=max(1, fewer))
            try:
                trained = train_once(replace(session, config=own), sets, training, plan.listener)
            except ModelError as exc:
                if name != TRAINER:
                    raise
                trained = Trained(name, seed, None, str(exc))  # what the program left is no adapter
            yield replace(trained, method=name)


def _cost(candidate: Candidate) -> Cost:
    facts = read_adapter(candidate.path).facts
    answers = facts["answers"]
    return Cost(
        answers=answers["forget"] + answers["retain"],
        forget=answers["forget"],
        answers_per_step=None if "trainer" in facts else facts["settings"]["answers_per_step"],
        steps=candidate.steps,
        tokens=facts.get("tokens"),
        looks=len(facts.get("looks", ())),  # a program of the user's notes none
        train_s=candidate.train_s,
    )


# --- shared with continual


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of training by one method with one seed."""

    method: str
    """or what the bench calls it"""
    seed: int
    candidate: Candidate | None
    """None where it failed"""
    failure: str = ""


@dataclass(frozen=True)
class Measured:
    """What was measured of several adapters."""

    scores: dict[str, TaskScores]
    """of the canonical solutions, by adapter"""
    behaviour: Behaviour | None
    """None where there is no adapter that can be sampled"""

    def whole(self, name: str) -> Figures | None:
        """An arm in all contexts together; None where it wasn't sampled."""
        found = self.behaviour
        return None if found is None else found.of(found.temperatures[0]).get(name)

    @property
    def yardstick(self) -> Figures | None:
        """The base again; None at temperature 0."""
        return self.whole(AGAIN)

    def untrained(self, name: str) -> Untrained:
        """A comparator that was asked."""
        assert self.behaviour is not None
        figures = self.behaviour.of(temperature := self.behaviour.temperatures[0])[name]
        return Untrained(figures, self.behaviour.objections(name, temperature))

    def beside_base(self, run: Run, adapter: str, name: str = "") -> Run:
        """The run with the figures of its adapter, or with the reason why there are none.

        ``name``: what the adapter's answers are named; empty: as it is.
        """
        name = name or adapter
        figures = self.whole(name)
        if self.behaviour is None or figures is None:
            return replace(run, failure=NO_NUMBERS)
        return replace(
            run,
            figures=figures,
            objections=self.behaviour.objections(name, self.behaviour.temperatures[0]),
            known_code=known_code(self.scores[BASE], self.scores[adapter], seed=HELD_OUT_SEED),
        )


def measure_adapters(
    plan: ComparePlan | ContinualPlan,
    adapters: Sequence[Chosen],
    comparators: Sequence[Comparator] = (),
    guard: AnswerGuard | None = None,
) -> Measured:
    """Adapters and comparators beside the base on held-out tasks; the adapters' scores of code.

    An adapter whose predictions aren't numbers isn't sampled.
    """
    config = override(plan.session.config, sampling__samples_per_prompt=plan.holdout_samples)
    session = replace(plan.session, config=config)
    scores = score_known_code(session, [None, *adapters] if adapters else [], plan.listener)
    sound = [
        adapter
        for adapter in adapters
        if all(math.isfinite(score.nll) for score in scores[adapter[0]].values())
    ]
    if not sound and not comparators and guard is None:
        return Measured(scores, None)
    evaluated = EvalPlan(
        session,
        plan.holdout,
        sound,
        (config.sampling.temperature,),
        HELD_OUT_SEED,
        plan.listener,
        comparators=comparators,
        guard=guard,
    )
    return Measured(scores, evaluate_behaviour(evaluated, Session.load_local))


def train_once(
    session: Session,
    sets: SetSplit,
    training: TrainSettings,
    listener: Listener,
    former: Former | None = None,
) -> Trained:
    """The adapter, from the home if it was trained before; else trained, as a round of the home.

    Any error marks its round failed; those of the training itself are returned, not raised.
    """
    rounds, model = session.store.rounds, session.config.model.name
    method, seed = training.method, training.seed
    sampling = sampling_settings(session.config, seed)
    judge = session.judge
    settings: dict[str, object] = asdict(training) | {
        "sampling": asdict(sampling),
        "base": weights_of(session.config),
        "registry": {"mode": str(judge.mode), "snapshots": dict(judge.dates)},
    }
    if former is not None:
        settings["former"] = [former.folder.name, former.fixed]
    if command := session.config.trainer.command:
        settings["trainer"] = list(command)
    if (before := _trained_before(session, method, seed, settings, sets)) is not None:
        return Trained(method, seed, before)
    round_id = rounds.start(model=model, method=method, seed=seed, settings=settings)
    try:
        rounds.add_sets(round_id, sets)
        plan = RoundPlan(session, sampling, training, listener, former=former)
        candidate = train(plan, round_id, sets)
        rounds.add_candidate(round_id, candidate)
        rounds.set_state(round_id, RoundState.REJECTED, KEPT)
    except (TrainingError, RuntimeError) as exc:  # torch's own errors too, such as out of memory
        # Torch's errors go on for paragraphs of advice.
        reason = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
        rounds.set_state(round_id, RoundState.FAILED, reason)
        return Trained(method, seed, None, reason)
    except BaseException as exc:
        reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
        rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
    return Trained(method, seed, candidate)


def _trained_before(
    session: Session, method: str, seed: int, settings: dict[str, object], sets: SetSplit
) -> Candidate | None:
    """The complete adapter of an earlier run of the same, of none that failed; None without one."""
    wanted = (session.config.model.name, method, seed, settings, sets_id(sets))
    for one in session.store.rounds.recent(limit=-1):
        key = (one.model, one.method, one.seed, one.settings, one.sets_id)
        if one.adapter is None or key != wanted or one.version != ghostbust.__version__:
            continue
        row = session.store.rounds.adapter(one.adapter)
        if row is not None and (row.candidate.path / MANIFEST).is_file():
            return row.candidate
    return None


def score_known_code(
    session: Session, models: Sequence[Chosen | None], listener: Listener
) -> dict[str, TaskScores]:
    """How likely each model finds the canonical solutions, by adapter; None is the base.

    The scores are kept in the home folder for the same model, adapter and tasks. There are none
    where the tasks can't be fetched.
    """
    tasks = benchmark_tasks(session.config, session.cache_dir, listener)
    found: dict[str, TaskScores] = {}
    for chosen in models:
        name = BASE if chosen is None else chosen[0]
        found[name] = {}
        if not tasks:
            continue
        file = kept_scores(session, chosen)
        known = _read_scores(file)
        if known is None:
            listener.begin(f"score {len(tasks)} canonical solutions with {name}")
            known = LikelihoodGate(tasks).measure(session.load_local(chosen))
            rows = {task: (score.nll, score.tokens) for task, score in known.items()}
            try:
                file.parent.mkdir(mode=0o700, exist_ok=True)
                write_whole(file, json.dumps(rows) + "\n")
            except OSError as exc:
                raise HomeError(f"can't write {file}: {exc.strerror or exc}") from exc
        found[name] = known
    return found


def kept_scores(session: Session, chosen: Chosen | None) -> Path:
    """The file of a model's scores, named for the weights and the tasks, not for the adapter."""
    model, gates = session.config.model.name, session.config.gates
    tasks = f"humaneval {gates.humaneval_tasks} mbpp {gates.mbpp} {gates.mbpp_tasks}"
    weights = [weights_of(session.config), {} if chosen is None else read_copy(chosen[1]).files]
    key = content_id(model, json.dumps(weights, sort_keys=True), tasks)
    return session.home.path / "scores" / f"{key}.json"


def _read_scores(file: Path) -> TaskScores | None:
    """None where nothing is kept. Raises HomeError for a file that is damaged."""
    try:
        rows = parse_json(file.read_text("utf-8"))
        return {task: Score(float(nll), int(tokens)) for task, (nll, tokens) in rows.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, TypeError, AttributeError) as exc:
        raise HomeError(f"can't read {file}: {exc}; remove it") from exc


# --- several rounds in a row, by each way to build on the round before
#
# In round 1 all ways are the same: the base answers, and a fresh adapter is trained. No gate is
# run: every round's model serves in the next one.


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
    holdout_samples: int
    """answers of each model to each held-out prompt"""
    seed: int
    """draws the tasks and the answers; round k trains with seed + k - 1"""
    listener: Listener


def compare_ways(plan: ContinualPlan) -> Continual:
    """The rounds of each way, and what they made beside the base.

    A round that fails has a reason instead of figures. It leaves the way's model as it was, and the
    next round follows. Raises UsageError, before anything is loaded, where there are too few tasks.
    """
    wanted = plan.rounds * plan.train_tasks
    if wanted > len(plan.train):
        raise UsageError(
            f"{plan.rounds} rounds of {plan.train_tasks} fresh tasks need {wanted} for training; "
            f"there are {len(plan.train)}: give more --prompts, or fewer --train-tasks"
        )
    order = list(plan.train)
    random.Random(plan.seed).shuffle(order)  # noqa: S311
    portions = [order[at : at + plan.train_tasks] for at in range(0, wanted, plan.train_tasks)]
    made = [one for way in plan.ways for one in _rounds(plan, way, portions)]
    adapters = list(dict.fromkeys(serves for run, serves in made if serves and not run.failure))
    measured = measure_adapters(plan, adapters)
    runs = tuple(
        run if run.failure or serves is None else measured.beside_base(run, serves[0])
        for run, serves in made
    )
    return Continual(runs, measured.whole(BASE), measured.yardstick)


def _rounds(
    plan: ContinualPlan, way: Way, portions: Sequence[Sequence[Task]]
) -> Iterator[tuple[RoundRun, Chosen | None]]:
    """The rounds of one way, from the base on, without figures, each with what serves after it.

    Each asks what serves, then learns from all answers so far.
    """
    session = plan.session
    said: list[Answer] = []
    serves: Chosen | None = None
    for number, tasks in enumerate(portions, 1):
        plan.listener.begin(f"{way}, round {number}: ask {len(tasks)} fresh tasks")
        model = session.load_local(None if way is Way.STATIC else serves)
        settings = sampling_settings(session.config, plan.seed)
        watcher = session.watcher(model, settings, plan.listener, weights=True)
        said += watcher.tasks(tasks, RunKind.SWEEP, reuse=True).answers
        failure, lesson = "", None
        try:
            serves, lesson = _learn(plan, way, number, serves, said)
        except (TrainingError, ModelError) as exc:
            failure = str(exc)
        name = None if serves is None else serves[0]
        yield RoundRun(way, number, name, failure, lesson, None, (), None), serves


def _learn(
    plan: ContinualPlan, way: Way, number: int, serves: Chosen | None, said: Sequence[Answer]
) -> tuple[Chosen, Lesson]:
    """What serves after the round's training, and what that learned from.

    A fresh adapter learns from all answers so far; one that is built on what serves from those of
    that one and of the base. All are of train-side tasks: no held-out prompts have to be kept away.

    Raises TrainingError or ModelError where the training fails.
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
    sets = choose_sets(config, training, said, former=former)
    trained = train_once(session, sets, training, plan.listener, former)
    candidate = trained.candidate
    if candidate is None:
        raise TrainingError(trained.failure)
    chosen = _combine(way, serves, candidate, training)
    learnt, facts = sets.forget + sets.retain, read_adapter(chosen[1]).facts
    return chosen, Lesson(
        answers=len(learnt),
        forget=len(sets.forget),
        own=sum(answer.sample.adapter == own for answer in learnt),
        steps=candidate.steps,
        train_s=candidate.train_s,
        rank=facts["rank"] if "rank" in facts else facts["settings"]["rank"],
        kept_norm=facts.get("kept_norm"),
    )


def _combine(
    way: Way, serves: Chosen | None, candidate: Candidate, training: TrainSettings
) -> Chosen:
    """What serves after the round: an adapter trained on top of another is of no use alone."""
    if serves is None or way.fresh or way is Way.CONTINUE:
        return candidate.name, candidate.path
    folder = candidate.path.with_name(f"{way}-{candidate.name}")
    parts = [serves[1], candidate.path]
    if not (folder / MANIFEST).is_file():
        if way is Way.STACK:
            write_stacked(folder, parts)
        else:
            write_merged(
                folder, parts, rank=training.rank, alpha=training.alpha, rslora=training.rslora
            )
    return folder.name, folder
