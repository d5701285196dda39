"""ROUND: one pass from logged inventions to a gated adapter that serves.

::

    Hallucination ─select─▶ SetSplit ─unlearn─▶ Candidate ─gate─▶ GateReport ─promote─▶ Promotion

`run_round` is the round; the command line and the daemon call `next_round`. The store has every
step before the next one begins, so a killed process loses only the step that it was at, and the
next process continues there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ghostbust.errors import BusyError, GhostbustError
from ghostbust.loop.build import gate_sampling, training_settings
from ghostbust.loop.gating import Gates, run_gates
from ghostbust.loop.round_start import finished_steps, get_ready, round_settings, take_up
from ghostbust.loop.round_steps import RoundPlan, canary, gate, promote, select_sets, unlearn
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched
from ghostbust.prompts import prompts_of
from ghostbust.records import Candidate, GateReport, Promotion
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.unlearners.processes import Processes


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What came of a round."""

    round_id: int
    candidate: Candidate
    report: GateReport
    before: Watched
    """the base on the held-out prompts"""
    after: Watched
    """the candidate on the same"""
    promotion: Promotion | None
    """None where a gate or canary did not pass, or a person has to approve"""


def run_round(
    plan: RoundPlan, before: Watched, base: LocalSampler | None = None, left: Round | None = None
) -> RoundOutcome:
    """Select, unlearn, gate, canary, promote.

    ``before`` is the base on the held-out prompts, its first block of answers at least. ``base``:
    None loads it where the gates need it. ``left``: the interrupted round to continue; None begins
    one. Any error marks the round failed and stores the reason. Ctrl-C and a busy lock only pause
    it.
    """
    round_id = _begin(plan, before) if left is None else left.id
    with _recorded(plan, round_id):
        done = finished_steps(plan.session.store, round_id, before)
        candidate = done.candidate
        if candidate is None:
            sets = select_sets(plan, round_id, prompts_of(before.answers))
            candidate = unlearn(plan, round_id, sets)
        gated = done.gated or gate(plan, round_id, candidate, base, before)
        publishing = canary(plan, round_id, candidate, gated.report)
        promotion = promote(plan, round_id, gated.report, publishing)
    return RoundOutcome(round_id, candidate, gated.report, gated.before, gated.after, promotion)


def next_round(
    session: Session,
    most_holdout: int,
    seed: int,
    listener: Listener,
    processes: Processes | None = None,
    gates: Gates = run_gates,
    *,
    train_anyway: bool = False,
) -> RoundOutcome:
    """The base on held-out prompts, then a round on everything that is logged.

    An interrupted round is continued instead, with its own seed and held-out prompts.
    ``train_anyway``: also where it is known beforehand that the gates can't pass.

    Raises UsageError for a method that there isn't; NotReadyError where nothing is logged that a
    round could learn from, or where the gates can't pass; TrainingError where it can't start from
    the deployed adapter, or where an interrupted round is given up; PublishError where a server
    wouldn't take the adapter, EndpointError where one can't be asked; BudgetError where the
    session's budgets have less left than the round may need.
    """
    config = session.config
    training_settings(config, seed)  # raises for a wrong method before anything is touched
    left = take_up(session, listener)
    if left is not None:
        seed, most_holdout = left.round.seed, left.most_holdout
    plan = RoundPlan(
        session,
        gate_sampling(config, seed),
        training_settings(config, seed),
        listener,
        processes=processes,
        most_holdout=most_holdout,
        gates=gates,
    )
    try:
        plan, base, before = get_ready(plan, left, most_holdout, train_anyway=train_anyway)
    except BaseException:
        if left is not None:  # a server that is away, say, is no fault of the round
            session.store.rounds.put_down(left.round.id)
        raise
    return run_round(plan, before, base, None if left is None else left.round)


def _begin(plan: RoundPlan, before: Watched) -> int:
    """The number of a new round."""
    most = plan.most_holdout
    return plan.session.store.rounds.start(
        model=plan.session.config.model.name,
        method=plan.training.method,
        seed=plan.training.seed,
        settings=round_settings(plan.session, plan.training, plan.former),
        plan=None if most is None else {"most_holdout": most},
        before_run=before.run_id,
    )


@contextmanager
def _recorded(plan: RoundPlan, round_id: int) -> Iterator[None]:
    """Stores why the block ended early: the round has failed, or waits to be continued."""
    rounds = plan.session.store.rounds
    try:
        yield
    except BaseException as exc:
        if isinstance(exc, KeyboardInterrupt | BusyError) and plan.most_holdout is not None:
            rounds.put_down(round_id)
        else:
            reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
            rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
