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
from dataclasses import asdict, dataclass, replace

import ghostbust
from ghostbust.adapters import MANIFEST, read_adapter
from ghostbust.config import Config, override
from ghostbust.errors import GhostbustError, TrainingError
from ghostbust.evaluation.comparisons import Contest, Cost, KnownCode, MethodRun, known_code
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Figures
from ghostbust.gates.likelihood import TaskScores
from ghostbust.loop.build import draw, sampling_settings, training_settings
from ghostbust.loop.evaluate import Chosen, EvalPlan, evaluate_behaviour, load_local, weights_of
from ghostbust.loop.gating import are_numbers, score_known_code
from ghostbust.loop.round_steps import RoundPlan, make_candidate
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, first_prompts
from ghostbust.records import Candidate, SetSplit
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState, sets_id
from ghostbust.store.rows import RunKind
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import Former, TrainSettings

# --- benches
# What benches share: an adapter that is trained once, and its figures beside the base.
#
# They work in a home folder of their own, where nothing is gated and nothing serves.

HELD_OUT_SEED = 0
"""of the held-out answers, whatever seeds train: so every run stands beside the same base"""

NO_NUMBERS = "the adapter's predictions aren't numbers"
"""why an adapter has no figures"""

KEPT = "kept for comparison; a bench promotes nothing"


@dataclass(frozen=True, slots=True)
class Trained:
    """What training by one method with one seed came to."""

    method: str
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

    def objections(self, name: str) -> tuple[str, ...]:
        """What is to be said against an adapter that was sampled."""
        found = self.behaviour
        return () if found is None else found.objections(name, found.temperatures[0])

    def known_code(self, name: str) -> KnownCode | None:
        """The change of the canonical solutions' likelihood; None where there are none."""
        return known_code(self.scores[BASE], self.scores[name], seed=HELD_OUT_SEED)


def measure_adapters(
    session: Session, holdout: Sequence[Task], adapters: Sequence[Chosen], listener: Listener
) -> Measured:
    """The adapters beside the base on the held-out tasks, and what they make of known code.

    One whose predictions aren't numbers isn't sampled.
    """
    scores = score_known_code(session, [None, *adapters] if adapters else [], listener)
    sound = [adapter for adapter in adapters if are_numbers(scores[adapter[0]])]
    if not sound:
        return Measured(scores, None)
    temperature = session.config.sampling.temperature
    plan = EvalPlan(session, holdout, sound, (temperature,), HELD_OUT_SEED, listener)
    return Measured(scores, evaluate_behaviour(plan, load_local))


def train_once(
    session: Session,
    sets: SetSplit,
    training: TrainSettings,
    listener: Listener,
    former: Former | None = None,
) -> Trained:
    """The adapter, from the home if it was trained before; else trained, as a round of the home.

    Whatever ends the training marks its round failed; an error of it isn't raised.
    """
    rounds, model = session.store.rounds, session.config.model.name
    method, seed = training.method, training.seed
    sampling = sampling_settings(session.config, seed)
    settings = _provenance(session, asdict(training) | {"sampling": asdict(sampling)}, former)
    if (before := _trained_before(session, method, seed, settings, sets)) is not None:
        return Trained(method, seed, before)
    round_id = rounds.start(model=model, method=method, seed=seed, settings=settings)
    try:
        rounds.add_sets(round_id, sets)
        plan = RoundPlan(session, sampling, training, (), listener, former=former)
        candidate = make_candidate(plan, round_id, model, sets)
        rounds.add_candidate(round_id, candidate)
        rounds.set_state(round_id, RoundState.REJECTED, KEPT)
    except (TrainingError, RuntimeError) as exc:  # torch's own errors too, such as out of memory
        reason = _first_line(exc)
        rounds.set_state(round_id, RoundState.FAILED, reason)
        return Trained(method, seed, None, reason)
    except BaseException as exc:
        reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
        rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
    return Trained(method, seed, candidate)


def _provenance(
    session: Session, settings: dict[str, object], former: Former | None
) -> dict[str, object]:
    """The settings of a run with all that its weights depend on but method, seed and sets."""
    judge = session.judge
    begun = {} if former is None else {"former": [former.folder.name, former.fixed]}
    return (
        settings
        | {
            "base": weights_of(session.config),
            "registry": {"mode": str(judge.mode), "snapshots": dict(judge.dates)},
        }
        | begun
    )


def _trained_before(
    session: Session, method: str, seed: int, settings: dict[str, object], sets: SetSplit
) -> Candidate | None:
    """The complete adapter of an earlier run of the same; None without one.

    Runs that failed are tried again.
    """
    wanted = (session.config.model.name, method, seed, settings, sets_id(sets))
    for one in session.store.rounds.recent(limit=-1):
        key = (one.model, one.method, one.seed, one.settings, one.sets_id)
        if one.adapter is None or key != wanted or one.version != ghostbust.__version__:
            continue
        row = session.store.rounds.adapter(one.adapter)
        if row is not None and (row.candidate.path / MANIFEST).is_file():
            return row.candidate
    return None


def _first_line(exc: Exception) -> str:
    """What an error says, without the rest of its advice."""
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)


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
