"""UNFINISHED: the round that a killed process left, made this process's own.

The store says how far it came. It is gone on with as long as it would still be the same round: of
the same model, and, before it is trained, by the same settings.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from ghostbust.errors import TrainingError
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import deployed_adapter, training_settings
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched
from ghostbust.store import Round, RoundState, Store
from ghostbust.unlearners.former import Former, check_former
from ghostbust.unlearners.settings import TrainSettings

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
