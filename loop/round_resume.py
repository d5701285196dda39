"""The interrupted round of a killed process: whether and from where it is continued.

The store says how far it got. It is continued as long as it would still be the same round: of the
same model and, before it is trained, by the same settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from ghostbust.adapters import read_adapter
from ghostbust.errors import TrainingError
from ghostbust.loop.build import deployed_adapter, training_settings
from ghostbust.loop.round_needs import SETTLED, planned_holdout
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watched, recalled
from ghostbust.records import Candidate, GateReport
from ghostbust.store.rounds import Round, RoundState
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
    gated: tuple[GateReport, Watched] | None = None
    """the report, and the candidate on the held-out prompts"""


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


def finished_steps(store: Store, round_id: int) -> FinishedSteps:
    """What the store has of the round. Raises ModelError where its adapter was changed."""
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
    return FinishedSteps(made.candidate, (report, recalled(store, row.after_run)))


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
    now = round_settings(session, training, round_start(session, training))
    if json.loads(json.dumps(now)) != left.settings:
        return "its settings were changed"
    return None
