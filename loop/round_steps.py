"""The steps of a round. Each leaves what it made in the store before it returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ghostbust.config import Config
from ghostbust.errors import CanaryError, EndpointError, PublishError
from ghostbust.gates.tasks import CodingTask
from ghostbust.loop.budget import noted
from ghostbust.loop.gating import BothAnswers, Gates, run_gates
from ghostbust.loop.probe import VolumeProbe
from ghostbust.loop.promote import let_serve
from ghostbust.loop.publish import Publishing, bring_up, make_publishing
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.trainer import train_by_command
from ghostbust.loop.watch import Watched
from ghostbust.prompts import prompts_of, side_of
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
from ghostbust.store.runs import RunKind
from ghostbust.times import in_words
from ghostbust.unlearners.checkpoint import clear_checkpoint
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.processes import Processes
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import Former, Steering, TrainSettings, most_looks
from ghostbust.unlearners.steer import Goal
from ghostbust.unlearners.train import about_steps, find_trained
from ghostbust.unlearners.train import unlearn as train_adapter


@dataclass(frozen=True)
class RoundPlan:
    """Everything a round needs besides the answers that are logged."""

    session: Session
    sampling: SamplingSettings
    """how base and candidate answer the held-out prompts"""
    training: TrainSettings
    listener: Listener
    benchmark: Sequence[CodingTask] = ()
    """coding tasks; without any, the gates that need them don't pass"""
    train_run: int | None = None
    """learn from the answers of this run only; None: from all answers of the model"""
    processes: Processes | None = None
    """that train along; None: this one is alone"""
    former: Former | None = None
    """the adapter that training starts from; None: the base"""
    most_holdout: int | None = None
    """how many held-out tasks measure; None for a round that no other process can continue"""
    gates: Gates = run_gates
    """judges the candidate; another one only where rounds themselves are tested"""


# --- select


def select_sets(plan: RoundPlan, round_id: int, holdout: Sequence[Prompt]) -> SetSplit:
    """What the model invents, and what it gets right, in its own train-side answers.

    A round that was interrupted after this step has its sets in the store, and trains on them as
    long as all their texts are there.
    """
    store = plan.session.store
    known = store.round_sets.get(round_id, tuple(holdout))
    if known is not None and store.rounds.get(round_id).sets_id == sets_id(known):
        return known
    plan.listener.begin("select what to unlearn and what to keep")
    answers = train_answers(plan.session, plan.train_run, former=plan.former)
    sets = choose_sets(plan.session.config, plan.training, answers, holdout, plan.former)
    if plan.most_holdout is not None:
        store.round_sets.keep(round_id, sets)
    store.rounds.add_sets(round_id, sets)
    return sets


def train_answers(
    session: Session, run_id: int | None = None, *, former: Former | None = None
) -> Iterator[Answer]:
    """The model's logged answers, of one run or of all, to prompts of train-side families.

    They are the base's and those of adapters that rounds made: what an evaluation did to a model,
    such as turning an adapter round, teaches nothing. Where training starts from an adapter, they
    are its own and the base's: it may have unlearnt what adapters before it invented. Every
    held-out family stays out, not only those that this round measures with, since the next round
    may draw others.
    """
    model, share = session.config.model.name, session.config.prompts.holdout_share
    made = [row.candidate.name for row in session.store.rounds.adapters()]
    adapters = (None, *made) if former is None else (None, former.folder.name)
    for answer in session.store.answers.read(run_id=run_id, model=model, adapters=adapters):
        if side_of(answer.sample.prompt.family, share) is Side.TRAIN:
            yield answer


def choose_sets(
    config: Config,
    training: TrainSettings,
    answers: Iterable[Answer],
    holdout: Sequence[Prompt] = (),
    former: Former | None = None,
) -> SetSplit:
    """The sets that a training by these settings learns from.

    ``former``: the adapter that training starts from; what it still invents comes first.
    """
    return select(
        answers,
        holdout,
        most=training.max_answers,
        members=training.members,
        probes=config.training.probes,
        seed=training.seed,
        first=None if former is None else former.folder.name,
        name_holdout=config.prompts.name_holdout_share,
        sound=method_named(training.method).sound_only,
    )


# --- unlearn


def unlearn(plan: RoundPlan, round_id: int, sets: SetSplit) -> Candidate:
    """The adapter trained on the sets, maybe by a process that was killed just afterwards."""
    home = plan.session.home
    candidate = find_trained(home.adapters, round_id, sets)
    if candidate is None:
        candidate = train(plan, round_id, sets)
    else:
        clear_checkpoint(home.training)
    plan.session.store.rounds.add_candidate(round_id, candidate)
    return candidate


def train(plan: RoundPlan, round_id: int, sets: SetSplit) -> Candidate:
    """A trained adapter in a complete folder."""
    session, training, former = plan.session, plan.training, plan.former
    config, by_command = session.config, bool(session.config.trainer.command)
    plan.listener.begin(
        f"train: {len(sets.forget)} answers to unlearn, {len(sets.retain)} to keep"
        f"{'' if by_command else _how_long(plan, sets)}"
    )
    if by_command:
        return train_by_command(session, sets, training, round_id, plan.listener, former)
    probe = VolumeProbe(
        sets.probe,
        sets.base,
        session.judge,
        replace(plan.sampling, seed=training.seed),
        plan.listener,
        sampler=lambda loaded: noted(LocalSampler(loaded), session.allowance),
        anew=method_named(training.method).steering is Steering.HEAR,
        most_looks=most_looks(training.method, training.members),
    )
    return train_adapter(
        sets,
        training,
        model=config.model.name,
        round_id=round_id,
        adapters=session.home.adapters,
        cache_dir=session.cache_dir,
        device=config.model.device,
        on_step=plan.listener.step,
        probe=probe if probe.usable else None,
        goal=Goal(most_rate=1 - config.gates.min_drop),
        checkpoint=session.home.training,
        processes=plan.processes,
        former=former,
    )


def _how_long(plan: RoundPlan, sets: SetSplit) -> str:
    """About how many steps the training has, and how long the last one of this method took."""
    said = f", about {about_steps(sets, plan.training):,} steps"
    rounds = plan.session.store.rounds
    wanted = (plan.session.config.model.name, plan.training.method)
    for one in rounds.recent():
        if one.adapter is None or (one.model, one.method) != wanted:
            continue
        row = rounds.adapter(one.adapter)
        if row is not None and row.candidate.steps:
            took = in_words(row.candidate.train_s)
            return f"{said}; the last training took {took} for {row.candidate.steps:,} steps"
    return said


# --- gate


@dataclass(frozen=True, slots=True)
class Gated:
    """What the gates said, and what they judged."""

    report: GateReport
    before: Watched
    """the base on the held-out prompts, as many answers as were judged"""
    after: Watched
    """the candidate on the same"""


def gate(
    plan: RoundPlan, round_id: int, candidate: Candidate, base: LocalSampler | None, before: Watched
) -> Gated:
    """The candidate on the held-out prompts and the coding tasks, against the base on the same.

    ``before`` is the base's first block of answers, at least; both are asked for further blocks as
    far as the gates read them. ``base``: None loads it.
    """
    session, most = plan.session, plan.session.config.gates.blocks
    plan.listener.begin("ask the candidate the held-out prompts")
    adapted = session.load_local((candidate.name, candidate.path))
    was, now = (
        noted(model, session.allowance) for model in (base or session.load_local(), adapted)
    )
    ask_base = session.watcher(was, plan.sampling, plan.listener, weights=True)
    ask = session.watcher(now, plan.sampling, plan.listener, weights=False)
    # An adapter's name is never used again: what it answered to these prompts, it answered here.
    after = ask.prompts(prompts_of(before.answers), RunKind.GATE, reuse=True)

    def blocks() -> Iterator[BothAnswers]:
        nonlocal before, after
        for block in range(1, most + 1):
            if block > 1:
                plan.listener.begin(f"ask both again: block {block} of {most} at most")
            before, after = ask_base.up_to_block(before, block), ask.up_to_block(after, block)
            yield before.answers, after.answers

    report = plan.gates(
        session.config.gates,
        plan.benchmark,
        candidate=candidate.name,
        models=(was, now),
        blocks=blocks(),
        seed=plan.training.seed,
        gated=session.store.rounds.gated(candidate.model),
        judged=session.store.rounds.judged(candidate.model),
        listener=plan.listener,
    )
    session.store.rounds.add_gate_report(round_id, report, after.run_id)
    return Gated(report, before, after)


# --- canary, promote


def canary(
    plan: RoundPlan, round_id: int, candidate: Candidate, report: GateReport
) -> Publishing | None:
    """Loads what passed every gate on every server and tries it there, before clients get it.

    None where it may not serve, or not yet: the round's state says why.
    """
    session, rounds = plan.session, plan.session.store.rounds
    if report.verdict is not GateVerdict.PASS:
        # Where one failed, it alone decided: others may not have been run, or not to their end.
        worst = report.verdict
        short = [f"{r.gate} {r.verdict}" for r in report.results if r.verdict == worst]
        rounds.set_state(round_id, RoundState.REJECTED, ", ".join(short))
        return None
    if session.config.daemon.promote == "review":
        rounds.set_state(round_id, RoundState.WAITING, "passed; waits for approval")
        return None
    rounds.set_state(round_id, RoundState.CANARY, "passed; is being published")
    with _refusal_stored(plan, round_id):
        publishing = make_publishing(session.config, session.home, session.store, session.allowance)
        bring_up(publishing, session.store, candidate.name, candidate.path)
        return publishing
    return None


def promote(
    plan: RoundPlan, round_id: int, report: GateReport, publishing: Publishing | None
) -> Promotion | None:
    """Lets the candidate serve; None without ``publishing``, or where a server refuses after all.

    Raises BusyError where another process moves the deployed pointer.
    """
    if publishing is None:
        return None
    store, home = plan.session.store, plan.session.home
    with _refusal_stored(plan, round_id):
        return let_serve(store, home, report.candidate, report, "every gate passed", publishing)
    return None


@contextmanager
def _refusal_stored(plan: RoundPlan, round_id: int) -> Iterator[None]:
    """What fails its canary is turned down. What a server refuses, or couldn't be asked about,
    waits: once that is mended, a person promotes it."""
    rounds = plan.session.store.rounds
    try:
        yield
    except CanaryError as exc:
        rounds.set_state(round_id, RoundState.REJECTED, str(exc))
    except (PublishError, EndpointError) as exc:
        why = f"passed; could not be published: {exc}"
        rounds.set_state(round_id, RoundState.WAITING, why)
