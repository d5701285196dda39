"""ROUND: one pass from logged inventions to a gated adapter.

::

    Hallucination ─select─▶ SetSplit ─unlearn─▶ Candidate ─gate─▶ GateReport ─promote─▶ Promotion

A round is a line of states in the store, and each step reads what the one before it left there. So
a process that is killed loses the step that it was at, and the next one goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ghostbust.adapters import read_adapter
from ghostbust.errors import (
    BudgetError,
    BusyError,
    GhostbustError,
    NotReadyError,
    TrainingError,
)
from ghostbust.loop.budget import noted
from ghostbust.loop.build import (
    draw,
    make_tasks,
    runnable_tasks,
    sampling_settings,
    training_settings,
)
from ghostbust.loop.evaluate import weights_of
from ghostbust.loop.gating import ON_TASKS, Gates, never_passed, run_gates
from ghostbust.loop.publish import check_limits, make_publishing, rehearse
from ghostbust.loop.round_resume import (
    SETTLED,
    Left,
    ahead_of,
    lacking_for_round,
    recalled,
    round_settings,
    round_start,
    take_up,
    what_comes,
)
from ghostbust.loop.round_steps import (
    RoundPlan,
    judge_candidate,
    settle_round,
    train_answers,
    trained,
)
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import HOLDOUT_SEED, first_prompts, prompts_of, split
from ghostbust.records import (
    Candidate,
    GateReport,
    Promotion,
    Prompt,
    utc_now,
)
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.processes import Processes
from ghostbust.unlearners.settings import TrainSettings


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


def next_round(
    session: Session,
    most_holdout: int,
    seed: int,
    listener: Listener,
    processes: Processes | None = None,
    gates: Gates = run_gates,
    *,
    train_anyway: bool = False,
) -> tuple[Watched, RoundOutcome]:
    """The base on held-out prompts, then a round on everything that is logged.

    A round that was interrupted comes first: it is gone on with, with its own seed and prompts.

    ``train_anyway``: also where it is known beforehand that the gates can't pass.

    Raises UsageError at once for a method that there isn't, and NotReadyError where nothing is
    logged that a round could learn from, or where the gates can't pass; TrainingError where it
    can't go on from the deployed adapter, or where an interrupted round is given up; PublishError
    where a server wouldn't take the adapter, EndpointError where one can't be asked; BudgetError
    where the session's budgets have less left than the round may need.
    """
    config, model = session.config, session.config.model
    training = training_settings(config, seed)
    left = take_up(session, listener)
    if left is not None:
        seed, most_holdout = left.seed, left.most_holdout
        training = training_settings(config, seed)
    _check_budgets(session, left, most_holdout)
    if left is not None and left.round.state in SETTLED:
        sampling = sampling_settings(config, seed + HOLDOUT_SEED)
        plan = RoundPlan(session, sampling, training, (), listener, most_holdout=most_holdout)
        return left.before, finish_round(plan, left.round)
    try:
        plan = _prepare(session, left, training, listener)
        plan = replace(plan, processes=processes, most_holdout=most_holdout, gates=gates)
        asked = left is None and not train_anyway
        if asked:
            _check_gates(plan, None)
        listener.begin(f"load {model.name}")
        base = LocalSampler.load(model.name, session.cache_dir, device=model.device)
        _rehearse(session, base, training)
        before, pace = _measure_base(plan, left, base, most_holdout, seed)
        if asked:
            _check_gates(plan, before)
        ahead = ahead_of(session.store, None if left is None else left.round, most_holdout)
        listener.begin(what_comes(config, make_tasks(config), replace(ahead, base=False), pace))
    except BaseException:
        if left is not None:  # a server that is away, say, is no fault of the round
            session.store.rounds.put_down(left.round.id)
        raise
    prompts = prompts_of(before.answers)
    return before, run_round(plan, base, before, prompts, None if left is None else left.round)


def _check_budgets(session: Session, left: Left | None, most_holdout: int) -> None:
    """Returns if the day's budgets, where the session has any, are enough for what is ahead.

    Raises BudgetError, and the round that would be gone on with is as it was.
    """
    if session.allowance is None:
        return
    lacking = lacking_for_round(
        session.store,
        session.config,
        session.allowance,
        None if left is None else left.round,
        most_holdout,
    )
    if lacking is not None:
        if left is not None:
            session.store.rounds.put_down(left.round.id)
        raise BudgetError(f"the round {lacking}")


def _prepare(
    session: Session, left: Left | None, training: TrainSettings, listener: Listener
) -> RoundPlan:
    """The round's plan. Raises what can be told before a model is loaded."""
    config = session.config
    former = round_start(session, training)
    if left is None and not any(
        answer.invented for answer in train_answers(session, config.model.name, former=former)
    ):
        raise NotReadyError("nothing to unlearn is logged yet; run `ghostbust sweep` first")
    check_limits(make_publishing(config, session.home, session.store), training.rank, frozenset())
    benchmark = runnable_tasks(config, session.cache_dir, listener)
    sampling = sampling_settings(config, training.seed + HOLDOUT_SEED)
    return RoundPlan(session, sampling, training, benchmark, listener, former=former)


def _check_gates(plan: RoundPlan, before: Watched | None) -> None:
    """Raises NotReadyError where a gate can't pass, whatever is trained.

    ``before``: the base on the held-out prompts; None: it wasn't asked yet.
    """
    never = never_passed(
        plan.session.config.gates,
        plan.benchmark,
        None if before is None else before.answers,
        seed=plan.training.seed,
        gated=plan.session.store.rounds.gated(plan.session.config.model.name),
    )
    if not never:
        return
    names: dict[str, list[str]] = {}
    for result in never:
        names.setdefault(result.reason, []).append(result.gate)
    said = "; ".join(f"{_listed(gates)}: {reason}" for reason, gates in names.items())
    todo = (
        "raise gates.humaneval_tasks or name gates.mbpp"
        if any(result.gate in ON_TASKS for result in never)
        else "more held-out tasks (--holdout, prompts.files) would tell more"
    )
    raise NotReadyError(f"no adapter could pass the gates, {said}; {todo}, or --train-anyway")


def _listed(names: Sequence[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _rehearse(session: Session, base: LocalSampler, training: TrainSettings) -> None:
    """What the servers say to the adapter's shape; a program of the user's leaves another one."""
    config = session.config
    if not config.trainer.command:
        publishing = make_publishing(config, session.home, session.store)
        rehearse(publishing, base.loaded, training, session.home.adapters)


def _measure_base(
    plan: RoundPlan, left: Left | None, base: LocalSampler, most_holdout: int, seed: int
) -> tuple[Watched, float | None]:
    """The base on the held-out prompts; as noted, where a round that is left has it whole.

    And how many tokens a second that gave; None where not all were sampled now.
    """
    if left is not None and left.whole:
        return left.before, None
    session = plan.session
    _, holdout = split(make_tasks(session.config), session.config.prompts.holdout_share)
    tasks = draw(holdout, most_holdout, seed)
    plan.listener.begin(f"ask {len(tasks)} held-out tasks")
    asked = noted(base, session.allowance)
    watcher = Watcher(
        session.store,
        asked,
        session.judge,
        plan.sampling,
        plan.listener.advance,
        made_by=weights_of(session.config),
    )
    # A daemon's round that wasn't begun for want of answers is tried again: not asked again.
    known = watcher.known(list(first_prompts(tasks)), RunKind.GATE)
    if known is not None:
        return known, None
    now, started = utc_now(), time.monotonic()
    before = watcher.tasks(tasks, RunKind.GATE)
    if session.store.runs.get(before.run_id).started < now:
        return before, None
    tokens = sum(answer.sample.tokens for answer in before.answers)
    return before, tokens / (time.monotonic() - started)


def run_round(
    plan: RoundPlan,
    base: LocalSampler,
    before: Watched,
    holdout: Sequence[Prompt],
    left: Round | None = None,
) -> RoundOutcome:
    """Select, unlearn, gate, promote; every step is in the store before the next begins.

    ``before`` is the base on the ``holdout`` prompts. ``left``: the round to go on with; None
    begins one. Whatever ends the round early marks it failed, with why, but for what is no fault
    of it: a Ctrl-C, or another process that promotes. It is then left to be gone on with.
    """
    round_id = _begin(plan, base.model, before) if left is None else left.id
    with _accounted(plan, round_id):
        candidate = trained(plan, round_id, base, holdout)
        report, after = judge_candidate(plan, candidate, base, before, holdout)
        plan.session.store.rounds.add_gate_report(round_id, report, after.run_id)
        promotion = settle_round(plan, round_id, candidate, report)
    return RoundOutcome(round_id, candidate, report, after, promotion)


def finish_round(plan: RoundPlan, left: Round) -> RoundOutcome:
    """What came of a round whose gate report is in the store: it only has to be settled.

    Raises ModelError where its adapter was changed.
    """
    store = plan.session.store
    row = None if left.adapter is None else store.rounds.adapter(left.adapter)
    report = store.rounds.gate_report(left.id)
    if row is None or report is None or left.after_run is None:
        raise TrainingError(f"round {left.id} lacks its adapter or its gate report")
    with _accounted(plan, left.id):
        read_adapter(row.candidate.path)
        promotion = settle_round(plan, left.id, row.candidate, report)
    return RoundOutcome(left.id, row.candidate, report, recalled(store, left.after_run), promotion)


def _begin(plan: RoundPlan, model: str, before: Watched) -> int:
    """The number of a new round."""
    most = plan.most_holdout
    return plan.session.store.rounds.start(
        model=model,
        method=plan.training.method,
        seed=plan.training.seed,
        settings=round_settings(plan.session, plan.training, plan.former),
        plan=None if most is None else {"most_holdout": most},
        before_run=before.run_id,
    )


@contextmanager
def _accounted(plan: RoundPlan, round_id: int) -> Iterator[None]:
    """Whatever ends the round inside is in the store afterwards."""
    rounds = plan.session.store.rounds
    try:
        yield
    except (KeyboardInterrupt, BusyError) as exc:
        if plan.most_holdout is None:
            rounds.set_state(round_id, RoundState.FAILED, type(exc).__name__)
        else:
            rounds.put_down(round_id)
        raise
    except BaseException as exc:
        reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
        rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
