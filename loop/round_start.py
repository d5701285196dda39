"""Before a round: whether it can pass and may be paid, then the base on the held-out prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from ghostbust.errors import BudgetError, NotReadyError
from ghostbust.loop.budget import noted
from ghostbust.loop.build import draw, make_tasks, runnable_tasks
from ghostbust.loop.gating import ON_TASKS, never_passed
from ghostbust.loop.publish import check_limits, make_publishing, rehearse
from ghostbust.loop.round_needs import SETTLED, ahead_of, needs_of_round, what_comes
from ghostbust.loop.round_resume import Left, round_start
from ghostbust.loop.round_steps import RoundPlan, train_answers
from ghostbust.loop.watch import Watched
from ghostbust.prompts import split
from ghostbust.records import utc_now
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.runs import RunKind


def get_ready(
    plan: RoundPlan, left: Left | None, most_holdout: int, *, train_anyway: bool
) -> tuple[RoundPlan, LocalSampler | None, Watched]:
    """The plan with all that it lacked, the base, and the base on the held-out prompts.

    Cheap checks come first. A round that only has to be published needs no model: None. Raises as
    `next_round`.
    """
    session, listener = plan.session, plan.listener
    config, store = session.config, session.store
    ahead = ahead_of(store, None if left is None else left.round, most_holdout)
    if session.allowance is not None:
        needs = needs_of_round(config, make_tasks(config), ahead)
        if lacking := session.allowance.lacking(needs):
            raise BudgetError(f"the round can't begin: {lacking}")
    if left is not None and left.round.state in SETTLED:
        return plan, None, left.before
    former = round_start(session, plan.training)
    if left is None and not any(
        answer.invented for answer in train_answers(session, former=former)
    ):
        raise NotReadyError("nothing to unlearn is logged yet; run `ghostbust sweep` first")
    publishing = make_publishing(config, session.home, store)
    check_limits(publishing, plan.training.rank, frozenset())
    benchmark = runnable_tasks(config, session.cache_dir, listener)
    plan = replace(plan, former=former, benchmark=benchmark)
    if left is None and not train_anyway:
        check_gates(plan, None)
    listener.begin(f"load {config.model.name}")
    base = session.load_local()
    if not config.trainer.command:  # a program of the user's leaves an adapter of another shape
        rehearse(publishing, base.loaded, plan.training, session.home.adapters)
    before, pace = measure_base(plan, left, base, most_holdout)
    if left is None and not train_anyway:
        check_gates(plan, before)
    listener.begin(what_comes(config, make_tasks(config), replace(ahead, base=False), pace))
    return plan, base, before


def check_gates(plan: RoundPlan, before: Watched | None) -> None:
    """Raises NotReadyError where a gate can't pass, whatever is trained.

    ``before``: the base on the held-out prompts; None: it wasn't asked yet.
    """
    config = plan.session.config
    never = never_passed(
        config.gates,
        plan.benchmark,
        None if before is None else before.answers,
        seed=plan.training.seed,
        gated=plan.session.store.rounds.gated(config.model.name),
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


def measure_base(
    plan: RoundPlan, left: Left | None, base: LocalSampler, most_holdout: int
) -> tuple[Watched, float | None]:
    """The base on the held-out prompts, and how many tokens a second it made.

    An interrupted round has its measurement, if all texts of it were kept. The pace is None where
    not all was sampled now.
    """
    if left is not None and left.whole:
        return left.before, None
    session = plan.session
    _, holdout = split(make_tasks(session.config), session.config.prompts.holdout_share)
    tasks = draw(holdout, most_holdout, plan.training.seed)
    plan.listener.begin(f"ask {len(tasks)} held-out tasks")
    model = noted(base, session.allowance)
    watcher = session.watcher(model, plan.sampling, plan.listener, weights=True)
    now, started = utc_now(), time.monotonic()
    # A daemon tries a round that could not begin again and again, and asks only once.
    before = watcher.tasks(tasks, RunKind.GATE, reuse=True)
    if session.store.runs.get(before.run_id).started < now:
        return before, None
    tokens = sum(answer.sample.tokens for answer in before.answers)
    return before, tokens / (time.monotonic() - started)
