"""The steps of a round: each reads what the one before it left in the store, or does it anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.adapters import read_adapter
from ghostbust.errors import CanaryError, EndpointError, PublishError
from ghostbust.gates.tasks import CodingTask
from ghostbust.loop.budget import noted
from ghostbust.loop.build import training_goal
from ghostbust.loop.gating import Gates, Probe, run_gates
from ghostbust.loop.promote import promote
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.round_resume import in_words
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.trainer import train_by_command
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import side_of
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
from ghostbust.store.rounds import RoundState, sets_id
from ghostbust.store.rows import RunKind
from ghostbust.unlearners.checkpoint import clear_checkpoint
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.processes import Processes
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import Former, Steering, TrainSettings, most_looks
from ghostbust.unlearners.train import about_steps, find_trained, unlearn


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
    most_holdout: int | None = None
    """how many held-out tasks measure; None for a round that nobody can go on with"""
    gates: Gates = run_gates
    """what judges the candidate; others only where rounds themselves are tested"""


def trained(
    plan: RoundPlan, round_id: int, base: LocalSampler, holdout: Sequence[Prompt]
) -> Candidate:
    """The round's adapter: the one that the store knows, or a folder says it made, else a new one.

    Raises ModelError where it was changed.
    """
    rounds = plan.session.store.rounds
    known = rounds.get(round_id).adapter
    row = None if known is None else rounds.adapter(known)
    if row is not None:
        read_adapter(row.candidate.path)
        return row.candidate
    sets = selected(plan, round_id, base, holdout)
    candidate = find_trained(plan.session.home.adapters, round_id, sets)
    if candidate is None:
        candidate = make_candidate(plan, round_id, base.model, sets)
    else:  # it may have been killed before it could remove what it would have gone on with
        clear_checkpoint(plan.session.home.training)
    rounds.add_candidate(round_id, candidate)
    return candidate


def selected(
    plan: RoundPlan, round_id: int, base: LocalSampler, holdout: Sequence[Prompt]
) -> SetSplit:
    """The round's sets: those that the store knows, if they are all there, else new ones."""
    store = plan.session.store
    known = store.round_sets.get(round_id, tuple(holdout))
    if known is not None and store.rounds.get(round_id).sets_id == sets_id(known):
        return known
    sets = select_sets(plan, base, holdout)
    if plan.most_holdout is not None:
        store.round_sets.keep(round_id, sets)
    store.rounds.add_sets(round_id, sets)
    return sets


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

    What the adapter that training begins with still invents comes first, and what the base keeps.
    """
    plan.listener.begin("select what to unlearn and what to keep")
    answers = train_answers(plan.session, base.model, run_id=plan.train_run, former=plan.former)
    training = plan.training
    return select(
        answers,
        holdout,
        most=training.max_answers,
        members=training.members,
        probes=plan.session.config.training.probes,
        seed=training.seed,
        first=start_name(plan),
        name_holdout=plan.session.config.prompts.name_holdout_share,
        sound=method_named(training.method).sound_only,
    )


def make_candidate(plan: RoundPlan, round_id: int, model: str, sets: SetSplit) -> Candidate:
    """A trained adapter in a complete folder."""
    sampling = replace(plan.sampling, seed=plan.training.seed)
    probe = Probe(
        sets.probe,
        sets.base,
        plan.session.judge,
        sampling,
        plan.listener,
        sampler=lambda loaded: noted(LocalSampler(loaded), plan.session.allowance),
        anew=method_named(plan.training.method).steering is Steering.HEAR,
        most_looks=most_looks(plan.training.method, plan.training.members),
    )
    plan.listener.begin(
        f"train: {len(sets.forget)} answers to unlearn, {len(sets.retain)} to keep"
        f"{_how_long(plan, model, sets)}"
    )
    if plan.session.config.trainer.command:
        return train_by_command(
            plan.session, sets, plan.training, round_id, plan.listener, plan.former
        )
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


def _how_long(plan: RoundPlan, model: str, sets: SetSplit) -> str:
    """About how many steps the training has, and what the last one of this method took."""
    if plan.session.config.trainer.command:
        return ""
    said = f", about {about_steps(sets, plan.training):,} steps"
    rounds = plan.session.store.rounds
    for one in rounds.recent():
        same = (one.model, one.method) == (model, plan.training.method)
        row = rounds.adapter(one.adapter) if one.adapter is not None and same else None
        if row is not None and row.candidate.steps:
            took = in_words(row.candidate.train_s)
            return f"{said}; the last training took {took} for {row.candidate.steps:,} steps"
    return said


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
    was, now = (noted(model, session.allowance) for model in (base, adapted))
    watcher = Watcher(session.store, now, session.judge, plan.sampling, plan.listener.advance)
    # An adapter's name is never used again: what it answered to these prompts, it answered here.
    after = watcher.known(holdout, RunKind.GATE) or watcher.prompts(holdout, RunKind.GATE)
    report = plan.gates(
        session.config.gates,
        plan.benchmark,
        candidate=candidate.name,
        models=(was, now),
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
    session.store.rounds.set_state(round_id, RoundState.CANARY, "passed; is being published")
    why = "every gate passed"
    try:
        publishing = make_publishing(session.config, session.home, session.store, session.allowance)
        return promote(session.store, session.home, candidate.name, report, why, publishing)
    except CanaryError as exc:
        session.store.rounds.set_state(round_id, RoundState.REJECTED, str(exc))
    except (PublishError, EndpointError) as exc:
        session.store.rounds.set_state(
            round_id, RoundState.WAITING, f"passed; could not be published: {exc}"
        )
    return None
