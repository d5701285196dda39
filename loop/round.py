"""ROUND: one pass from logged inventions to a gated adapter.

::

    Hallucination ─select─▶ SetSplit ─unlearn─▶ Candidate ─gate─▶ GateReport ─promote─▶ Promotion
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from ghostbust.errors import (
    CanaryError,
    EndpointError,
    GhostbustError,
    PublishError,
    TrainingError,
)
from ghostbust.gates import CodingTask
from ghostbust.loop.gating import run_gates
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import (
    deployed_adapter,
    draw,
    make_tasks,
    runnable_tasks,
    sampling_settings,
    training_goal,
    training_settings,
)
from ghostbust.loop.probe import Probe
from ghostbust.loop.promote import promote
from ghostbust.loop.publish import check_limits, make_publishing
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import HOLDOUT_SEED, prompts_of, side_of, split
from ghostbust.records import (
    Answer,
    Candidate,
    GateReport,
    GateVerdict,
    Promotion,
    Prompt,
    SetSplit,
    Side,
)
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store import RoundState, RunKind
from ghostbust.unlearners.engine import TrainSettings
from ghostbust.unlearners.former import Former, check_former
from ghostbust.unlearners.processes import Processes
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.unlearn import unlearn


@dataclass(frozen=True)
class RoundPlan:
    """Everything a round needs besides the answers that are logged."""

    session: Session
    sampling: SamplingSettings
    """how base and candidate answer the held-out prompts"""
    training: TrainSettings
    benchmark: Sequence[CodingTask]
    """coding tasks; none, and the gates that need them don't pass"""
    listener: Listener
    train_run: int | None = None
    """learn from the answers of this run only; None: from all answers of the model"""
    processes: Processes | None = None
    """that train along; None: this one is alone"""
    former: Former | None = None
    """the adapter that training begins with; None: with nothing"""


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What came of a round."""

    round_id: int
    candidate: Candidate
    report: GateReport
    after: Watched
    """the candidate on the held-out prompts"""
    promotion: Promotion | None
    """None where a gate did not pass, or a person has to approve"""


def run_round(
    plan: RoundPlan, base: LocalSampler, before: Watched, holdout: Sequence[Prompt]
) -> RoundOutcome:
    """Select, unlearn, gate, promote; every step is in the store before the next begins.

    ``before`` is the base on the ``holdout`` prompts. Whatever ends the round early marks it
    failed, with why.
    """
    rounds = plan.session.store.rounds
    round_id = rounds.start(
        model=base.model,
        method=plan.training.method,
        seed=plan.training.seed,
        settings=asdict(plan.training)
        | {
            "start": start_name(plan),
            "name_holdout": plan.session.config.prompts.name_holdout_share,
        },
    )
    try:
        sets = select_sets(plan, base, holdout)
        rounds.add_sets(round_id, sets)
        candidate = make_candidate(plan, round_id, base.model, sets)
        rounds.add_candidate(round_id, candidate)
        report, after = judge_candidate(plan, candidate, base, before, holdout)
        rounds.add_gate_report(round_id, report)
        promotion = settle_round(plan, round_id, candidate, report)
    except BaseException as exc:
        reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
        rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
    return RoundOutcome(round_id, candidate, report, after, promotion)


def next_round(
    session: Session,
    most_holdout: int,
    seed: int,
    listener: Listener,
    processes: Processes | None = None,
) -> tuple[Watched, RoundOutcome]:
    """The base on held-out prompts, then a round on everything that is logged.

    Raises UsageError at once for a method that there isn't, and TrainingError where nothing is
    logged that a round could learn from, or where it can't go on from the deployed adapter;
    PublishError where a server wouldn't take the adapter, EndpointError where one can't be asked.
    """
    config, model = session.config, session.config.model
    training = training_settings(config, seed)
    former = round_start(session, training)
    if not any(answer.invented for answer in train_answers(session, model.name, former=former)):
        raise TrainingError("nothing to unlearn is logged yet; run `ghostbust sweep` first")
    check_limits(make_publishing(config, session.home, session.store), training.rank, frozenset())
    listener.begin(f"load {model.name}")
    base = LocalSampler.load(model.name, session.cache_dir, device=model.device)
    benchmark = runnable_tasks(session.config, session.cache_dir, listener)
    _, holdout = split(make_tasks(config), config.prompts.holdout_share)
    tasks = draw(holdout, most_holdout, seed)
    sampling = sampling_settings(config, seed + HOLDOUT_SEED)
    listener.begin(f"ask {len(tasks)} held-out tasks")
    watcher = Watcher(session.store, base, session.judge, sampling, listener.advance)
    before = watcher.tasks(tasks, RunKind.GATE)
    plan = RoundPlan(
        session, sampling, training, benchmark, listener, processes=processes, former=former
    )
    return before, run_round(plan, base, before, prompts_of(before.answers))


def round_start(session: Session, training: TrainSettings) -> Former | None:
    """The deployed adapter, if the settings let rounds go on from it; None where the base serves.

    Raises TrainingError or ModelError where none can.
    """
    deployed = deployed_adapter(session.home)
    if session.config.training.start == "base" or deployed is None:
        return None
    former = Former(deployed[1])
    check_former(former, training, session.config.model.name)
    return former


def start_name(plan: RoundPlan) -> str | None:
    """The adapter that training begins with."""
    return None if plan.former is None else plan.former.folder.name


def train_answers(
    session: Session, model: str, run_id: int | None = None, *, former: Former | None = None
) -> Iterator[Answer]:
    """The model's logged answers, of one run or of all, to prompts of train-side families.

    Where training begins with a former adapter, those of that one and of the base: what adapters
    before it invented, it may have unlearnt. Every held-out family stays out, not only those that
    this round measures with: the next round may draw others.
    """
    share = session.config.prompts.holdout_share
    adapters = None if former is None else (None, former.folder.name)
    for answer in session.store.answers.read(run_id=run_id, model=model, adapters=adapters):
        if side_of(answer.sample.prompt.family, share) is Side.TRAIN:
            yield answer


def select_sets(plan: RoundPlan, base: LocalSampler, holdout: Sequence[Prompt]) -> SetSplit:
    """The model's own train-side answers in the store: what it invents, what it gets right.

    Those of the adapter that training begins with come first.
    """
    plan.listener.begin("select what to unlearn and what to keep")
    answers = train_answers(plan.session, base.model, run_id=plan.train_run, former=plan.former)
    training = plan.session.config.training
    return select(
        answers,
        holdout,
        most=training.max_answers,
        probes=training.probes,
        seed=plan.training.seed,
        first=start_name(plan),
        name_holdout=plan.session.config.prompts.name_holdout_share,
    )


def make_candidate(plan: RoundPlan, round_id: int, model: str, sets: SetSplit) -> Candidate:
    """A trained adapter in a complete folder."""
    sampling = replace(plan.sampling, seed=plan.training.seed)
    probe = Probe(sets.probe, sets.base, plan.session.judge, sampling, plan.listener)
    plan.listener.begin(f"train: {len(sets.forget)} answers to unlearn, {len(sets.retain)} to keep")
    return unlearn(
        sets,
        plan.training,
        model=model,
        round_id=round_id,
        adapters=plan.session.home.adapters,
        cache_dir=plan.session.cache_dir,
        device=plan.session.config.model.device,
        on_step=plan.listener.step,
        probe=probe if probe.usable else None,
        goal=training_goal(plan.session.config.gates),
        checkpoint=plan.session.home.training,
        processes=plan.processes,
        former=plan.former,
    )


def judge_candidate(
    plan: RoundPlan,
    candidate: Candidate,
    base: LocalSampler,
    before: Watched,
    holdout: Sequence[Prompt],
) -> tuple[GateReport, Watched]:
    """The candidate on the held-out prompts and the benchmark, against the base on the same."""
    session = plan.session
    plan.listener.begin("ask the candidate the held-out prompts")
    adapted = LocalSampler.load(
        base.model,
        session.cache_dir,
        adapter=candidate.name,
        adapter_path=candidate.path,
        device=session.config.model.device,
    )
    watcher = Watcher(session.store, adapted, session.judge, plan.sampling, plan.listener.advance)
    after = watcher.prompts(holdout, RunKind.GATE)
    report = run_gates(
        session.config.gates,
        plan.benchmark,
        candidate=candidate.name,
        models=(base, adapted),
        answers=(before.answers, after.answers),
        seed=plan.training.seed,
        gated=session.store.rounds.gated(base.model),
        listener=plan.listener,
    )
    return report, after


def settle_round(
    plan: RoundPlan, round_id: int, candidate: Candidate, report: GateReport
) -> Promotion | None:
    """Promote what passed, or let it wait for a person; turn down the rest.

    What fails its canary is turned down; what a server doesn't take, or couldn't be asked about,
    waits: once that is mended, a person promotes it.
    """
    session = plan.session
    if report.verdict is not GateVerdict.PASS:
        short = [f"{r.gate} {r.verdict}" for r in report.results if r.verdict != GateVerdict.PASS]
        session.store.rounds.set_state(round_id, RoundState.REJECTED, ", ".join(short))
        return None
    if session.config.daemon.promote == "review":
        session.store.rounds.set_state(round_id, RoundState.WAITING, "passed; waits for approval")
        return None
    publishing = make_publishing(session.config, session.home, session.store)
    why = "every gate passed"
    try:
        return promote(session.store, session.home, candidate.name, report, why, publishing)
    except CanaryError as exc:
        session.store.rounds.set_state(round_id, RoundState.REJECTED, str(exc))
    except (PublishError, EndpointError) as exc:
        session.store.rounds.set_state(
            round_id, RoundState.WAITING, f"passed; could not be published: {exc}"
        )
    return None
