"""Which interrupted round is continued, from where, and which one is given up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import override
from ghostbust.errors import BusyError, ModelError, PublishError, TrainingError
from ghostbust.loop.round import next_round
from ghostbust.loop.round_start import MOST_ATTEMPTS, take_up
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.publishers.directory import published
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.train import find_trained
from tests.loop.conftest import InState
from tests.loop.rounds import HELD_OUT, SAMPLING, SEED, Stops, attempts_of, let_pass, newest


def stopped(session: Session, listener: Stops) -> None:
    """The round once more, ended by a Ctrl-C. The number of tasks and the seed don't count."""
    with pytest.raises(KeyboardInterrupt):
        next_round(session, 40, 99, listener, train_anyway=True)


@pytest.mark.parametrize(
    ("left", "then", "state", "again", "spared"),
    [
        ("started", "selected", RoundState.STARTED, "select", "ask 12 held-out"),
        ("selected", "training", RoundState.SELECTED, "train:", "select"),
        ("training", "trained", RoundState.SELECTED, "train:", "select"),
        ("trained", "measured", RoundState.TRAINED, "ask the candidate", "train:"),
        ("measured", "done", RoundState.TRAINED, "gate: hallucination", "train:"),
    ],
)
def test_a_round_is_continued_from_its_last_finished_step(
    round_homes: Path, left: str, then: str, state: RoundState, again: str, spared: str
) -> None:
    attempts = attempts_of(round_homes)
    was, now = attempts[left], attempts[then]
    assert (was.state, was.attempts) == (state, 0), "a Ctrl-C is no attempt that failed"
    assert now.begun[0] == f"go on with round 1, which is {state}"
    assert any(what.startswith(again) for what in now.begun)
    assert not any(what.startswith(spared) for what in now.begun)
    assert now.runs - was.runs == (1 if left == "trained" else 0)


def test_a_training_is_continued_from_its_checkpoint(round_homes: Path) -> None:
    attempts = attempts_of(round_homes)
    first, second = attempts["training"].steps, attempts["trained"].steps
    assert [number for number, _ in first] == [1, 2]
    assert second[0][0] <= 3
    assert second[-1][0] == second[-1][1] == first[0][1]


def test_a_continued_round_has_its_own_seed_and_tasks(in_state: InState) -> None:
    session = in_state("trained")
    before, outcome = next_round(session, 40, 99, Stops(), train_anyway=True)
    done = newest(session)
    assert (outcome.round_id, done.id, done.seed, done.state) == (1, 1, SEED, RoundState.REJECTED)
    assert (before.run_id, outcome.after.run_id) == (done.before_run, done.after_run)
    assert before.measurement.answers == HELD_OUT
    assert [path.name for path in session.home.adapters.iterdir()] == [outcome.candidate.name]


def test_an_adapter_that_is_complete_is_not_trained_again(in_state: InState) -> None:
    """Also where the process was killed before the store knew of it, or the checkpoint was gone."""
    session = in_state("trained")
    with session.store._connection.write() as connection:
        connection.execute("DELETE FROM adapters")
        connection.execute("UPDATE rounds SET state = 'selected'")
    (folder,) = session.home.adapters.iterdir()
    made = folder.stat().st_mtime_ns
    session.home.training.touch()
    listener = Stops("ask the candidate")
    stopped(session, listener)
    (row,) = session.store.rounds.adapters()
    assert (row.candidate.path, folder.stat().st_mtime_ns) == (folder, made)
    assert not any(what.startswith("train:") for what in listener.begun)
    assert not session.home.training.exists()
    assert row.candidate.steps > 0
    assert row.candidate.train_s > 0


def test_the_sets_are_those_of_the_first_attempt(in_state: InState) -> None:
    session = in_state("trained")
    left = newest(session)
    watcher = Watcher(session.store, session.load_local(), session.judge, replace(SAMPLING, seed=8))
    watcher.tasks(seed_tasks()[:24], RunKind.WATCH)
    with session.store._connection.write() as connection:
        connection.execute("DELETE FROM adapters")
        connection.execute("UPDATE rounds SET state = 'selected'")
    stopped(session, Stops("ask the candidate"))
    assert newest(session).sets_id == left.sets_id
    sets = session.store.round_sets.get(1, ())
    assert sets is not None
    assert 8 not in {answer.sample.seed for answer in (*sets.forget, *sets.retain)}
    assert find_trained(session.home.adapters, 1, sets) is not None
    assert find_trained(session.home.adapters, 1, replace(sets, forget=sets.forget[1:])) is None
    assert find_trained(session.home.adapters, 2, sets) is None


def test_a_gate_report_is_not_measured_again_and_serves_once(
    in_state: InState, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = in_state("done")
    name = let_pass(session)
    monkeypatch.setattr("ghostbust.loop.session.load_local", None)
    listener = Stops()
    before, outcome = next_round(session, 10, 3, listener, train_anyway=True)
    assert listener.begun == ["go on with round 1, which is gated"]
    assert outcome.promotion is not None
    assert (before.measurement.answers, outcome.candidate.name) == (HELD_OUT, name)
    assert newest(session).state is RoundState.PROMOTED
    serving = published(session.home.deployed)
    assert serving is not None
    assert serving[0] == name
    assert [move.adapter for move in session.store.promotions.all()] == [name]
    assert take_up(session, Silence()) is None, "nothing is left to continue"


def test_a_round_whose_promotion_met_another_waits_for_its_turn(in_state: InState) -> None:
    session = in_state("done")
    let_pass(session)
    with session.home.exclusive("promotion", session.home.deployed_lock), pytest.raises(BusyError):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.CANARY
    _, outcome = next_round(session, 10, 3, Silence(), train_anyway=True)
    assert outcome.promotion is not None


def test_a_changed_adapter_fails_its_round(in_state: InState) -> None:
    session = in_state("done")
    name = let_pass(session)
    (session.home.adapters / name / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(ModelError, match="was changed after training"):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.FAILED
    assert published(session.home.deployed) is None


def test_a_settled_round_without_its_report_fails(in_state: InState) -> None:
    session = in_state("done")
    let_pass(session)
    with session.store._connection.write() as connection:
        connection.execute("DELETE FROM gate_results")
    with pytest.raises(TrainingError, match="round 1 lacks its gate report"):
        next_round(session, 10, 3, Silence(), train_anyway=True)
    assert newest(session).state is RoundState.FAILED


def test_a_round_that_ends_its_process_again_and_again_is_given_up(in_state: InState) -> None:
    session = in_state("selected")
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
    stopped(session, Stops("select"))
    assert newest(session).id == 2


def test_a_server_that_is_away_is_no_attempt(in_state: InState) -> None:
    session = in_state("selected", publish__kind="directory", publish__replicas=("/nowhere",))
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(PublishError, match="/nowhere isn't a folder"):
            next_round(session, 10, 3, Silence(), train_anyway=True)
    left = newest(session)
    assert (left.state, left.attempts) == (RoundState.SELECTED, 0)


@pytest.mark.parametrize(("state", "number"), [("selected", 2), ("trained", 1)])
def test_by_other_settings_what_is_untrained_would_be_another_round(
    in_state: InState, state: str, number: int
) -> None:
    session = in_state(state, training__alpha=8)
    stopped(session, Stops("select" if number == 2 else "ask the candidate"))
    assert newest(session).id == number
    if number == 2:
        first = session.store.rounds.get(1)
        assert (first.state, first.reason) == (
            RoundState.FAILED,
            "interrupted, then its settings were changed",
        )


def test_another_models_round_is_left_alone(in_state: InState) -> None:
    session = in_state("selected")
    left = newest(session)
    other = replace(session, config=override(session.config, model__name="another"))
    assert take_up(other, Silence()) is None
    assert newest(session) == left
