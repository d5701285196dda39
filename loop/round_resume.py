"""What a round still asks for at most, and whether the day's budgets have that much left.

Everything that it asks is known beforehand but for what the model answers, so each answer is
reckoned with all the tokens that it may have. Which names a registry is asked for isn't known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import TrainingError
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import asks_live, deployed_adapter, make_tasks, training_settings
from ghostbust.loop.canary import GENERAL
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched
from ghostbust.prompts import Task, split
from ghostbust.records import Context
from ghostbust.sections import TrainingSection
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.rows import RunKind, RunStatus
from ghostbust.store.store import Store
from ghostbust.unlearners.sets import FEWEST_PROBES
from ghostbust.unlearners.settings import Former, TrainSettings, check_former, most_looks

# --- unfinished
# UNFINISHED: the round that a killed process left, made this process's own.
#
# The store says how far it came. It is gone on with as long as it would still be the same round:
# of
# the same model, and, before it is trained, by the same settings.

MOST_ATTEMPTS: Final = 3
"""how often a step is begun before its round is given up: what kills it may do so for ever"""
_UNTRAINED: Final = (RoundState.STARTED, RoundState.SELECTED)


@dataclass(frozen=True, slots=True)
class Left:
    """A round to go on with."""

    round: Round
    before: Watched
    """the base on the held-out prompts"""
    whole: bool
    """whether ``before`` has all its answers: a private prompt's text is kept nowhere"""
    most_holdout: int

    @property
    def seed(self) -> int:
        """The round's seed."""
        return self.round.seed


def take_up(session: Session, listener: Listener) -> Left | None:
    """The model's interrupted round, from now on this process's; None where there is none.

    One that would be another by the settings of today is failed, and None. Raises TrainingError
    for one whose step was begun too often.
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
    most = left.plan["most_holdout"] if left.plan else 0
    assert isinstance(most, int)
    return Left(left, before, whole, most)


def _changed(session: Session, left: Round) -> str | None:
    """Why it would be another round now; None where it wouldn't."""
    if left.before_run is None or session.store.runs.get(left.before_run).measurement is None:
        return "what it measured of the base is gone"
    if left.state not in _UNTRAINED:
        return None
    training = training_settings(session.config, left.seed)
    now = round_settings(session, training, round_start(session, training))
    if json.loads(json.dumps(now)) != left.settings:
        return "its settings were changed"
    return None


def recalled(store: Store, run_id: int) -> Watched:
    """A finished run as it was, with those of its answers whose texts were kept."""
    measurement = store.runs.get(run_id).measurement
    assert measurement is not None
    answers = sorted(
        store.answers.read(run_id=run_id),
        key=lambda answer: (answer.sample.prompt.id, answer.sample.number),
    )
    return Watched(run_id, tuple(answers), measurement)


def round_settings(
    session: Session, training: TrainSettings, former: Former | None
) -> dict[str, object]:
    """What a round is trained by, as the store has it."""
    return asdict(training) | {
        "start": None if former is None else former.folder.name,
        "name_holdout": session.config.prompts.name_holdout_share,
        "trainer": list(session.config.trainer.command),
    }


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


# --- round_needs
# What a round still asks for at most, and whether the day's budgets have that much left.
#
# Everything that it asks is known beforehand but for what the model answers, so each answer is
# reckoned with all the tokens that it may have. Which names a registry is asked for isn't known.

SETTLED: Final = (RoundState.GATED, RoundState.CANARY)
"""states of a round that has its gate report and only has to be published"""
NEWEST_RUNS: Final = 50
"""runs among which that of a candidate is looked for"""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a round has before it."""

    most_holdout: int
    """held-out tasks that measure, at most"""
    base: bool = True
    """whether the base still has to answer them"""
    training: bool = True
    candidate: bool = True
    """whether the candidate still has to answer them"""
    gates: bool = True


def ahead_of(store: Store, left: Round | None, most_holdout: int) -> Ahead:
    """What is before the round that is gone on with, or before a new one, which is None."""
    if left is None:
        return Ahead(most_holdout)
    told = None if left.plan is None else left.plan.get("most_holdout")
    most = told if isinstance(told, int) else most_holdout
    if left.state in SETTLED:
        return Ahead(most, base=False, training=False, candidate=False, gates=False)
    return Ahead(
        most,
        base=left.before_run is None or not _is_whole(store, left.before_run),
        training=left.state is not RoundState.TRAINED,
        candidate=left.adapter is None or not _has_answered(store, left.adapter),
    )


def needs_of_round(config: Config, tasks: Sequence[Task], ahead: Ahead) -> dict[str, float]:
    """What a round takes from each budget at most; ``tasks`` are all that there are.

    Of requests to registries, one where live ones may be asked: more can't be told.
    """
    asked = list(_answers(config, tasks, ahead))
    needs: dict[str, float] = {
        SAMPLES: sum(count for count, _ in asked),
        TOKENS: sum(count * most_tokens for count, most_tokens in asked),
    }
    return needs | ({REQUESTS: 1} if asks_live(config) else {})


def what_comes(
    config: Config, tasks: Sequence[Task], ahead: Ahead, tokens_per_s: float | None
) -> str:
    """What a round still asks at most, in one line, and how long that takes at the base's pace.

    ``tokens_per_s``: measured just now; None: no time is said. How long the steps of a training
    take isn't known before they are made.
    """
    needs = needs_of_round(config, tasks, ahead)
    line = f"to come: up to {needs[SAMPLES]:,.0f} answers with up to {needs[TOKENS]:,.0f} tokens"
    if tokens_per_s:
        line += f", {in_words(needs[TOKENS] / tokens_per_s)} at the base's {tokens_per_s:,.0f}/s"
    return f"{line}; and the steps of the training" if ahead.training else line


def in_words(seconds: float) -> str:
    """A duration for people."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def lacking_for_round(
    store: Store, config: Config, allowance: Allowance, left: Round | None, most_holdout: int
) -> str | None:
    """Which budget has too little left for the round that is gone on with, or for a new one.

    In one line; None where none has. ``left``: as `ahead_of` wants it.
    """
    ahead = ahead_of(store, left, most_holdout)
    return lacking_for(allowance, needs_of_round(config, make_tasks(config), ahead))


def lacking_for(allowance: Allowance, needs: dict[str, float]) -> str | None:
    """Which budget has too little left for the needs, in one line; None where none has."""
    left = allowance.left()
    for name, need in needs.items():
        if left[name] >= need:
            continue
        limit = allowance.limits[name]
        told = f"needs up to {need:,.12g} {name}, of which the day has {left[name]:,.12g} left"
        if need > limit:
            return f"{told} and never more than {limit:,.12g}: raise budget.{name}"
        return f"{told} of {limit:,.12g}"
    return None


def _is_whole(store: Store, run_id: int) -> bool:
    """Whether the texts of all answers of the run were kept."""
    kept = sum(1 for _ in store.answers.read(run_id=run_id))
    return kept == len(store.answers.sampled_keys(run_id))


def _has_answered(store: Store, adapter: str) -> bool:
    """Whether the adapter has answered held-out prompts; its name is never used again."""
    return any(
        (run.spec.kind, run.spec.adapter, run.status) == (RunKind.GATE, adapter, RunStatus.DONE)
        and _is_whole(store, run.id)
        for run in store.runs.recent(NEWEST_RUNS)
    )


def _answers(config: Config, tasks: Sequence[Task], ahead: Ahead) -> Iterator[tuple[int, int]]:
    """Each kind of answers to be asked for: how many, and how many tokens each may have."""
    _, holdout = split(tasks, config.prompts.holdout_share)
    each = len(Context) * config.sampling.samples_per_prompt
    held_out = min(ahead.most_holdout, len(holdout)) * each
    most_tokens = config.sampling.max_new_tokens
    yield held_out * (ahead.base + ahead.candidate), most_tokens
    if ahead.training and not config.trainer.command:
        yield _looks(config.training), most_tokens
    if ahead.gates:
        gates = config.gates
        coding = gates.humaneval_tasks + (0 if gates.mbpp is None else gates.mbpp_tasks)
        yield 2 * coding, gates.max_new_tokens
    yield _canaries(config), most_tokens


def _looks(training: TrainingSection) -> int:
    """Answers of all looks at the models under training."""
    looks = most_looks(training.method, training.members)
    return looks * training.probes if training.probes >= FEWEST_PROBES else 0


def _canaries(config: Config) -> int:
    """Answers of an adapter and of the base at each server; none where a person promotes."""
    told, servers = config.publish, len(config.model.servers)
    replicas = len(told.replicas) or servers
    if told.kind == "none" or (told.kind == "directory" and not servers):
        replicas = 0
    if config.daemon.promote == "review":
        replicas = 0
    prompts = config.canary.forget + min(config.canary.general, len(GENERAL))
    return 2 * replicas * prompts
