"""Which interrupted round is gone on with, from where, and which one is given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import BusyError, ModelError, PublishError, TrainingError
from ghostbust.home import Home
from ghostbust.loop.round import next_round
from ghostbust.loop.round_resume import MOST_ATTEMPTS, take_up
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.publishers.directory import published
from ghostbust.records import GateReport, GateResult, GateVerdict
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.rows import RunKind
from ghostbust.unlearners.train import find_trained


class Stops(Silence):
    """Ctrl-C when a stage begins, or at a step; and notes what began."""

    def __init__(self, at: str = "nowhere", step: int = 0) -> None:
        self.at, self.at_step = at, step
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)
        if what.startswith(self.at):
            raise KeyboardInterrupt

    def step(self, number: int, of: int, loss: float) -> None:
        if number == self.at_step:
            raise KeyboardInterrupt


@pytest.fixture
def config(config: Config) -> Config:
    return override(config, training__probes=0, gates__humaneval_tasks=0)


@pytest.fixture
def session(
    home: Home, config: Config, sampler: LocalSampler, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Session]:  # fmt: skip
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    with open_session(home, config, purpose="test") as session:
        settings = SamplingSettings(max_new_tokens=8, seed=1)
        watcher = Watcher(session.store, sampler, session.judge, settings)
        watcher.tasks(seed_tasks()[:24], RunKind.SWEEP)
        yield session


def newest(session: Session) -> Round:
    return session.store.rounds.recent(1)[0]


def stopped(session: Session, listener: Stops) -> Round:
    """A round that a Ctrl-C ended."""
    with pytest.raises(KeyboardInterrupt):
        next_round(session, 10, 3, listener, train_anyway=True)
    return newest(session)


@pytest.mark.parametrize(
    ("at", "step", "state", "again", "spared"),
    [
        ("select", 0, RoundState.STARTED, "select", "ask 10 held-out"),
        ("nowhere", 2, RoundState.SELECTED, "train:", "select"),
        ("ask the candidate", 0, RoundState.TRAINED, "ask the candidate", "train:"),
        ("gate: volume", 0, RoundState.TRAINED, "gate: hallucination", "train:"),
    ],
)
def test_a_round_goes_on_from_its_last_finished_step(
    session: Session, at: str, step: int, state: RoundState, again: str, spared: str
) -> None:
    left = stopped(session, Stops(at, step))
    assert (left.state, left.attempts) == (state, 0), "a Ctrl-C is no attempt that failed"
    runs = len(session.store.runs.recent())
    listener = Stops()
    before, outcome = next_round(session, 40, 99, listener, train_anyway=True)
    done = newest(session)
    assert (outcome.round_id, done.id, done.seed, done.state) == (1, 1, 3, RoundState.REJECTED)
    assert listener.begun[0] == f"go on with round 1, which is {state}"
    assert any(what.startswith(again) for what in listener.begun)
    assert not any(what.startswith(spared) for what in listener.begun)
    assert before.run_id == done.before_run
    assert outcome.after.run_id == done.after_run
    assert len(session.store.runs.recent()) - runs == (0 if at == "gate: volume" else 1)
    assert [path.name for path in session.home.adapters.iterdir()] == [outcome.candidate.name]


def test_an_adapter_that_is_complete_is_not_trained_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process ended before the store knew of it."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session.store.rounds, "add_candidate", dies)
        left = stopped(session, Stops())
    assert (left.state, left.adapter) == (RoundState.SELECTED, None)
    (folder,) = session.home.adapters.iterdir()
    made = folder.stat().st_mtime_ns
    session.home.training.touch()  # as if it had ended before that was removed, too
    listener = Stops()
    _, outcome = next_round(session, 10, 3, listener, train_anyway=True)
    assert (outcome.candidate.path, folder.stat().st_mtime_ns) == (folder, made)
    assert not any(what.startswith("train:") for what in listener.begun)
    assert not session.home.training.exists()
    assert outcome.candidate.steps > 0
    assert outcome.candidate.train_s > 0


def test_the_sets_are_those_of_the_first_attempt(session: Session, sampler: LocalSampler) -> None:
    left = stopped(session, Stops("train:"))
    settings = SamplingSettings(max_new_tokens=8, seed=8)
    Watcher(session.store, sampler, session.judge, settings).tasks(seed_tasks()[:24], RunKind.WATCH)
    next_round(session, 10, 3, Stops(), train_anyway=True)
    assert newest(session).sets_id == left.sets_id
    sets = session.store.round_sets.get(1, ())
    assert sets is not None
    assert 8 not in {answer.sample.seed for answer in (*sets.forget, *sets.retain)}
    assert find_trained(session.home.adapters, 1, sets) is not None
    assert find_trained(session.home.adapters, 1, replace(sets, forget=sets.forget[1:])) is None
    assert find_trained(session.home.adapters, 2, sets) is None


def passed(session: Session) -> str:
    """A round whose report says PASS, and which no process works on; its adapter."""
    _, outcome = next_round(session, 10, 3, Silence(), train_anyway=True)
    result = GateResult("volume", GateVerdict.PASS, "", None, None, None, "")
    report = GateReport(outcome.candidate.name, (result,))
    session.store.rounds.add_gate_report(1, report, outcome.after.run_id)
    session.store.rounds.put_down(1)
    return outcome.candidate.name


def test_a_gate_report_is_not_measured_again_and_serves_once(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = passed(session)
    monkeypatch.setattr("ghostbust.loop.round.LocalSampler", None, raising=True)
    listener = Stops()
    before, outcome = next_round(session, 10, 3, listener, train_anyway=True)
    assert listener.begun == ["go on with round 1, which is gated"]
    assert outcome.promotion is not None
    assert (before.measurement.answers, outcome.candidate.name) == (30, name)
    assert newest(session).state is RoundState.PROMOTED
    serving = published(session.home.deployed)
    assert serving is not None
    assert serving[0] == name
    assert [move.adapter for move in session.store.promotions.all()] == [name]
    assert take_up(session, Silence()) is None, "nothing is left to go on with"


def test_a_round_whose_promotion_met_another_waits_for_its_turn(session: Session) -> None:
    passed(session)
    with session.home.exclusive("promotion", session.home.deployed_lock), pytest.raises(BusyError):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.CANARY
    _, outcome = next_round(session, 10, 3, Silence(), train_anyway=True)
    assert outcome.promotion is not None


def test_a_changed_adapter_fails_its_round(session: Session) -> None:
    name = passed(session)
    (session.home.adapters / name / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match="was changed after training"):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.FAILED
    assert published(session.home.deployed) is None


def test_a_round_that_ends_its_process_again_and_again_is_given_up(session: Session) -> None:
    stopped(session, Stops("train:"))
    rounds = session.store.rounds
    for _ in range(MOST_ATTEMPTS):
        left = rounds.interrupted(session.config.model.name)
        assert left is not None
        rounds.resume(left.id)
        rounds._connection._db.execute("UPDATE rounds SET process = ''")  # it was killed
    rounds.explain(1, "its process used 9.1 GB of memory")
    with pytest.raises(TrainingError, match="round 1 is given up: ended 3 times while selected"):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.FAILED
    assert newest(session).reason.endswith("; its process used 9.1 GB of memory")
    _, outcome = next_round(session, 10, 4, Silence(), train_anyway=True)
    assert outcome.round_id == 2


def test_a_server_that_is_away_is_no_attempt(session: Session) -> None:
    stopped(session, Stops("train:"))
    away = override(session.config, publish__kind="directory", publish__replicas=("/nowhere",))
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(PublishError, match="/nowhere isn't a folder"):
            next_round(replace(session, config=away), 10, 3, Silence(), train_anyway=True)
    left = newest(session)
    assert (left.state, left.attempts) == (RoundState.SELECTED, 0)


@pytest.mark.parametrize(("at", "number"), [("train:", 2), ("ask the candidate", 1)])
def test_by_other_settings_what_is_untrained_would_be_another_round(
    session: Session, at: str, number: int
) -> None:
    stopped(session, Stops(at))
    other = replace(session, config=override(session.config, training__alpha=8))
    _, outcome = next_round(other, 10, 4, Silence(), train_anyway=True)
    assert outcome.round_id == number
    if number == 2:
        first = session.store.rounds.get(1)
        assert (first.state, first.reason) == (
            RoundState.FAILED,
            "interrupted, then its settings were changed",
        )


def test_another_models_round_is_left_alone(session: Session) -> None:
    left = stopped(session, Stops("train:"))
    other = replace(session, config=override(session.config, model__name="another"))
    assert take_up(other, Silence()) is None
    assert newest(session) == left
