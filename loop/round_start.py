"""Before a round: whether it can pass and what it may cost, then the base on held-out prompts.

All that a round asks is known beforehand, but for how long the answers are: each is counted with
all the tokens that it may have. Nor is it known which names a registry will be asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.config import Config
from ghostbust.errors import BudgetError, NotReadyError
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance, noted
from ghostbust.loop.build import asks_live, draw, make_tasks, runnable_tasks
from ghostbust.loop.canary import GENERAL
from ghostbust.loop.gating import ON_TASKS, never_passed
from ghostbust.loop.publish import check_limits, make_publishing, rehearse
from ghostbust.loop.round_resume import SETTLED, Left, planned_holdout, round_start
from ghostbust.loop.round_steps import RoundPlan, in_words, train_answers
from ghostbust.loop.watch import Watched
from ghostbust.prompts import Task, split
from ghostbust.records import Context, utc_now
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.unlearners.sets import FEWEST_PROBES
from ghostbust.unlearners.settings import most_looks


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


# --- what a round may cost


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a round still has to do."""

    most_holdout: int
    """held-out tasks that measure, at most"""
    base: bool = True
    """whether the base still has to answer them"""
    training: bool = True
    candidate: bool = True
    """whether the candidate still has to answer them"""
    gates: bool = True


def ahead_of(store: Store, left: Round | None, most_holdout: int) -> Ahead:
    """What the interrupted round still has to do; for None, a new one."""
    if left is None:
        return Ahead(most_holdout)
    most = planned_holdout(left, most_holdout)
    if left.state in SETTLED:
        return Ahead(most, base=False, training=False, candidate=False, gates=False)
    return Ahead(
        most,
        base=left.before_run is None or not _is_whole(store, left.before_run),
        training=left.state is not RoundState.TRAINED,
        candidate=left.adapter is None or not _has_answered(store, left.adapter),
    )


def _is_whole(store: Store, run_id: int) -> bool:
    """Whether the texts of all answers of the run were kept."""
    kept = sum(1 for _ in store.answers.read(run_id=run_id))
    return kept == len(store.answers.sampled_keys(run_id))


def _has_answered(store: Store, adapter: str) -> bool:
    """Whether the adapter has answered held-out prompts; its name is never used again."""
    runs = store.runs.recent(-1, kinds=[RunKind.GATE], adapters=[adapter], status=RunStatus.DONE)
    return any(_is_whole(store, run.id) for run in runs)


def needs_of_round(config: Config, tasks: Sequence[Task], ahead: Ahead) -> dict[str, float]:
    """What a round takes from each budget at most; ``tasks`` are all that there are.

    Of requests to registries, one where live ones may be asked: more isn't known.
    """
    asked = list(_answers(config, tasks, ahead))
    needs: dict[str, float] = {
        SAMPLES: sum(count for count, _ in asked),
        TOKENS: sum(count * most_tokens for count, most_tokens in asked),
    }
    return needs | ({REQUESTS: 1} if asks_live(config) else {})


def lacking_for_round(
    store: Store, config: Config, allowance: Allowance, left: Round | None, most_holdout: int
) -> str | None:
    """Which budget may not be enough for the round, in one line; None where all are.

    ``left``: the interrupted round that would be continued; None: a new one.
    """
    ahead = ahead_of(store, left, most_holdout)
    return allowance.lacking(needs_of_round(config, make_tasks(config), ahead))


def what_comes(
    config: Config, tasks: Sequence[Task], ahead: Ahead, tokens_per_s: float | None
) -> str:
    """What a round still asks at most, in one line, and how long that takes at the base's pace.

    ``tokens_per_s``: measured just now; None: no time is said. How long a training step takes isn't
    known before one is made.
    """
    needs = needs_of_round(config, tasks, ahead)
    line = f"to come: up to {needs[SAMPLES]:,.0f} answers with up to {needs[TOKENS]:,.0f} tokens"
    if tokens_per_s:
        line += f", {in_words(needs[TOKENS] / tokens_per_s)} at the base's {tokens_per_s:,.0f}/s"
    return f"{line}; and the steps of the training" if ahead.training else line


def _answers(config: Config, tasks: Sequence[Task], ahead: Ahead) -> Iterator[tuple[int, int]]:
    """Each kind of answers to be asked for: how many, and how many tokens each may have."""
    _, holdout = split(tasks, config.prompts.holdout_share)
    most_tokens, training, gates = config.sampling.max_new_tokens, config.training, config.gates
    each = len(Context) * config.sampling.samples_per_prompt
    held_out = min(ahead.most_holdout, len(holdout)) * each
    yield held_out * (ahead.base + ahead.candidate), most_tokens
    if ahead.training and not config.trainer.command and training.probes >= FEWEST_PROBES:
        yield most_looks(training.method, training.members) * training.probes, most_tokens
    if ahead.gates:
        coding = gates.humaneval_tasks + (0 if gates.mbpp is None else gates.mbpp_tasks)
        yield 2 * coding, gates.max_new_tokens
    yield _canaries(config), most_tokens


def _canaries(config: Config) -> int:
    """Answers of an adapter and of the base at each server; none where a person promotes."""
    publish, servers = config.publish, len(config.model.servers)
    without = publish.kind == "none" or (publish.kind == "directory" and not servers)
    if without or config.daemon.promote == "review":
        return 0
    prompts = config.canary.forget + min(config.canary.general, len(GENERAL))
    return 2 * (len(publish.replicas) or servers) * prompts
