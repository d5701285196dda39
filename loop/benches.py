"""What benches share: an adapter that is trained once, and its figures beside the base.

They work in a home folder of their own, where nothing is gated and nothing serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import ghostbust
from ghostbust.adapters import MANIFEST
from ghostbust.errors import GhostbustError, TrainingError
from ghostbust.evaluation.contest import KnownCode, known_code
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour, Figures
from ghostbust.gates.likelihood import TaskScores
from ghostbust.loop.eval_plan import Chosen, EvalPlan, load_local, weights_of
from ghostbust.loop.evaluate import evaluate_behaviour
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import sampling_settings
from ghostbust.loop.round_steps import RoundPlan, make_candidate
from ghostbust.loop.scoring import are_numbers, score_known_code
from ghostbust.loop.session import Session
from ghostbust.prompts import Task
from ghostbust.records import Candidate, SetSplit
from ghostbust.store import RoundState, sets_id
from ghostbust.unlearners.former import Former
from ghostbust.unlearners.settings import TrainSettings

HELD_OUT_SEED = 0
"""of the held-out answers, whatever seeds train: so every run stands beside the same base"""

NO_NUMBERS = "the adapter's predictions aren't numbers"
"""why an adapter has no figures"""

KEPT = "kept for comparison; a bench promotes nothing"


@dataclass(frozen=True, slots=True)
class Trained:
    """What training by one method with one seed came to."""

    method: str
    seed: int
    candidate: Candidate | None
    """None where it failed"""
    failure: str = ""


@dataclass(frozen=True)
class Measured:
    """What was measured of several adapters."""

    scores: dict[str, TaskScores]
    """of the canonical solutions, by adapter"""
    behaviour: Behaviour | None
    """None where there is no adapter that can be sampled"""

    def whole(self, name: str) -> Figures | None:
        """An arm in all contexts together; None where it wasn't sampled."""
        found = self.behaviour
        return None if found is None else found.of(found.temperatures[0]).get(name)

    @property
    def yardstick(self) -> Figures | None:
        """The base again; None at temperature 0."""
        return self.whole(AGAIN)

    def objections(self, name: str) -> tuple[str, ...]:
        """What is to be said against an adapter that was sampled."""
        found = self.behaviour
        return () if found is None else found.objections(name, found.temperatures[0])

    def known_code(self, name: str) -> KnownCode | None:
        """The change of the canonical solutions' likelihood; None where there are none."""
        return known_code(self.scores[BASE], self.scores[name], seed=HELD_OUT_SEED)


def measure_adapters(
    session: Session, holdout: Sequence[Task], adapters: Sequence[Chosen], listener: Listener
) -> Measured:
    """The adapters beside the base on the held-out tasks, and what they make of known code.

    One whose predictions aren't numbers isn't sampled.
    """
    scores = score_known_code(session, [None, *adapters] if adapters else [], listener)
    sound = [adapter for adapter in adapters if are_numbers(scores[adapter[0]])]
    if not sound:
        return Measured(scores, None)
    temperature = session.config.sampling.temperature
    plan = EvalPlan(session, holdout, sound, (temperature,), HELD_OUT_SEED, listener)
    return Measured(scores, evaluate_behaviour(plan, load_local))


def train_once(
    session: Session,
    sets: SetSplit,
    training: TrainSettings,
    listener: Listener,
    former: Former | None = None,
) -> Trained:
    """The adapter, from the home if it was trained before; else trained, as a round of the home.

    Whatever ends the training marks its round failed; an error of it isn't raised.
    """
    rounds, model = session.store.rounds, session.config.model.name
    method, seed = training.method, training.seed
    sampling = sampling_settings(session.config, seed)
    settings = _provenance(session, asdict(training) | {"sampling": asdict(sampling)}, former)
    if (before := _trained_before(session, method, seed, settings, sets)) is not None:
        return Trained(method, seed, before)
    round_id = rounds.start(model=model, method=method, seed=seed, settings=settings)
    try:
        rounds.add_sets(round_id, sets)
        plan = RoundPlan(session, sampling, training, (), listener, former=former)
        candidate = make_candidate(plan, round_id, model, sets)
        rounds.add_candidate(round_id, candidate)
        rounds.set_state(round_id, RoundState.REJECTED, KEPT)
    except (TrainingError, RuntimeError) as exc:  # torch's own errors too, such as out of memory
        reason = _first_line(exc)
        rounds.set_state(round_id, RoundState.FAILED, reason)
        return Trained(method, seed, None, reason)
    except BaseException as exc:
        reason = str(exc) if isinstance(exc, GhostbustError) else type(exc).__name__
        rounds.set_state(round_id, RoundState.FAILED, reason)
        raise
    return Trained(method, seed, candidate)


def _provenance(
    session: Session, settings: dict[str, object], former: Former | None
) -> dict[str, object]:
    """The settings of a run with all that its weights depend on but method, seed and sets."""
    judge = session.judge
    begun = {} if former is None else {"former": [former.folder.name, former.fixed]}
    return (
        settings
        | {
            "base": weights_of(session.config),
            "registry": {"mode": str(judge.mode), "snapshots": dict(judge.dates)},
        }
        | begun
    )


def _trained_before(
    session: Session, method: str, seed: int, settings: dict[str, object], sets: SetSplit
) -> Candidate | None:
    """The complete adapter of an earlier run of the same; None without one.

    Runs that failed are tried again.
    """
    wanted = (session.config.model.name, method, seed, settings, sets_id(sets))
    for one in session.store.rounds.recent(limit=-1):
        key = (one.model, one.method, one.seed, one.settings, one.sets_id)
        if one.adapter is None or key != wanted or one.version != ghostbust.__version__:
            continue
        row = session.store.rounds.adapter(one.adapter)
        if row is not None and (row.candidate.path / MANIFEST).is_file():
            return row.candidate
    return None


def _first_line(exc: Exception) -> str:
    """What an error says, without the rest of its advice."""
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)
