"""Before a round: which interrupted one is continued, whether it can pass and may be paid.

The store says how far a round of a killed process came. It is continued as long as it would still
be the same round: of the same model and, before it is trained, by the same settings. Then the base
answers the held-out prompts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from ghostbust.adapters import read_adapter
from ghostbust.errors import BudgetError, NotReadyError, TrainingError
from ghostbust.loop.budget import noted
from ghostbust.loop.build import (
    deployed_adapter,
    draw_least_used,
    make_tasks,
    runnable_tasks,
    training_settings,
)
from ghostbust.loop.gating import ON_TASKS, never_passed
from ghostbust.loop.publish import check_limits, make_publishing, rehearse
from ghostbust.loop.round_needs import (
    SETTLED,
    ahead_of,
    needs_of_round,
    planned_holdout,
    what_comes,
)
from ghostbust.loop.round_steps import Gated, RoundPlan, train_answers
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched, recalled
from ghostbust.prompts import split
from ghostbust.records import Candidate, utc_now
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from ghostbust.unlearners.settings import Former, TrainSettings, check_former

MOST_ATTEMPTS: Final = 3
"""how often a step is begun before its round is given up: what kills it may do so for ever"""
_UNTRAINED: Final = (RoundState.STARTED, RoundState.SELECTED)


@dataclass(frozen=True, slots=True)
class Left:
    """An interrupted round to continue."""

    round: Round
    before: Watched
    """the base on the held-out prompts"""
    whole: bool
    """whether ``before`` has all its answers: the text of a private prompt is kept nowhere"""
    most_holdout: int


@dataclass(frozen=True, slots=True)
class FinishedSteps:
    """What the steps of a round that are done have made."""

    candidate: Candidate | None = None
    gated: Gated | None = None


def take_up(session: Session, listener: Listener) -> Left | None:
    """The model's interrupted round, from now on this process's; None where there is none.

    One that would be another round by the settings of today is failed, and None returned. Raises
    TrainingError for one whose step was begun too often.
    """
    rounds = session.store.rounds
    left = rounds.interrupted(session.config.model.name)
    if left is None:
        return None
    if left.attempts >= MOST_ATTEMPTS:
        why = f"given up: ended {left.attempts} times while {left.state}"
        said = f"{why}; {left.reason}" if left.reason else why
        rounds.set_state(left.id, RoundState.FAILED, said)
        raise TrainingError(f"round {left.id} is {said}; the next command begins another")
    changed = _changed(session, left)
    if changed is not None:
        rounds.set_state(left.id, RoundState.FAILED, f"interrupted, then {changed}")
        listener.begin(f"leave round {left.id}, which was interrupted: {changed}")
        return None
    rounds.resume(left.id)
    listener.begin(f"go on with round {left.id}, which is {left.state}")
    assert left.before_run is not None
    before = recalled(session.store, left.before_run)
    whole = len(before.answers) == len(session.store.answers.sampled_keys(left.before_run))
    return Left(left, before, whole, planned_holdout(left, 0))


def finished_steps(store: Store, round_id: int, before: Watched) -> FinishedSteps:
    """What the store has of the round, whose base answered ``before``.

    Raises ModelError where its adapter was changed.
    """
    row = store.rounds.get(round_id)
    made = None if row.adapter is None else store.rounds.adapter(row.adapter)
    report = store.rounds.gate_report(round_id) if row.state in SETTLED else None
    if made is None:
        if row.state in SETTLED:
            raise TrainingError(f"round {round_id} lacks its adapter")
        return FinishedSteps()
    read_adapter(made.candidate.path)
    if row.state not in SETTLED:
        return FinishedSteps(made.candidate)
    if report is None or row.after_run is None:
        raise TrainingError(f"round {round_id} lacks its gate report")
    return FinishedSteps(made.candidate, Gated(report, before, recalled(store, row.after_run)))


def round_settings(
    session: Session, training: TrainSettings, former: Former | None
) -> dict[str, object]:
    """What a round is trained by, as the store has it."""
    return asdict(training) | {
        "start": None if former is None else former.folder.name,
        "name_holdout": session.config.prompts.name_holdout_share,
        "trainer": list(session.config.trainer.command),
    }


def start_adapter(session: Session, training: TrainSettings) -> Former | None:
    """The deployed adapter, if the settings let training start from it; None for the base.

    Raises TrainingError or ModelError where training can't start from it.
    """
    deployed = deployed_adapter(session.home)
    if session.config.training.start == "base" or deployed is None:
        return None
    former = Former(deployed[1])
    check_former(former, training, session.config.model.name)
    return former


def _changed(session: Session, left: Round) -> str | None:
    """Why it would be another round now; None where it wouldn't."""
    if left.before_run is None or session.store.runs.get(left.before_run).measurement is None:
        return "what it measured of the base is gone"
    if left.state not in _UNTRAINED:
        return None
    training = training_settings(session.config, left.seed)
    now = round_settings(session, training, start_adapter(session, training))
    if json.loads(json.dumps(now)) != left.settings:
        return "its settings were changed"
    return None


# --- get ready


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
    former = start_adapter(session, plan.training)
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
    # Drawn anew for each round, since what judges again and again is fitted to in the end.
    used = session.store.rounds.judged(session.config.model.name)
    tasks = draw_least_used(holdout, most_holdout, plan.training.seed, used)
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
