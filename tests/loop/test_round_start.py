"""What ends a round before it begins; which interrupted one is continued, and from where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ghostbust.config import override
from ghostbust.errors import BusyError, ModelError, NotReadyError, PublishError, TrainingError
from ghostbust.loop.round import next_round
from ghostbust.loop.round_start import MOST_ATTEMPTS, take_up
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.publishers.directory import publish, published
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.train import find_trained
from tests.lab.model_server import Serving, serve
from tests.loop.conftest import InState
from tests.loop.rounds import (
    BENCHMARK,
    HELD_OUT,
    HOLDOUT,
    SAMPLING,
    SEED,
    Stops,
    attempts_of,
    let_pass,
    newest,
)


def begin(session: Session, *, train_anyway: bool = True, holdout: int = HOLDOUT) -> None:
    next_round(session, holdout, 0, Silence(), train_anyway=train_anyway)


def test_where_nothing_is_logged_that_is_said_before_a_model_is_loaded(session: Session) -> None:
    nowhere = replace(session, config=override(session.config, model__name="no-such-model"))
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        begin(nowhere)
    assert session.store.rounds.recent() == []
    assert session.store.runs.recent() == []


def test_held_out_inventions_are_nothing_to_learn_from(session: Session, before: Watched) -> None:
    assert before.measurement.absent
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        begin(session)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"publish__kind": "directory", "publish__replicas": ("/nowhere",)},
            "/nowhere isn't a folder",
        ),
        (
            {"gates__humaneval_tasks": 1},
            "likelihood and coding: too few tasks: [01], needs 100",
        ),
    ],
)
def test_what_cannot_pass_is_said_before_anything_is_asked(
    in_state: InState, changed: dict[str, Any], said: str
) -> None:
    session = in_state("swept", **changed)
    with pytest.raises((PublishError, NotReadyError), match=said):
        begin(session, train_anyway=False)
    assert session.store.rounds.recent() == []
    assert len(session.store.runs.recent()) == 1, "only the sweep"


def test_a_limit_that_no_server_tells_ends_a_round_before_it_asks_anything(
    in_state: InState, round_homes: Path
) -> None:
    with serve(Serving(round_homes / "model", "base", max_rank=1)) as server:
        session = in_state(
            "swept",
            model__endpoint_model="base",
            publish__kind="vllm",
            publish__replicas=(server.url,),
        )
        with pytest.raises(PublishError, match="LoRA rank 2 is greater than max_lora_rank 1"):
            begin(session)
    assert session.store.rounds.recent() == []
    assert len(session.store.runs.recent()) == 1, "only the sweep"
    assert not list(session.home.adapters.iterdir())


def test_a_start_of_another_shape_is_said_before_anything_is_asked(in_state: InState) -> None:
    session = in_state("done", training__start="deployed", training__rank=4)
    (row,) = session.store.rounds.adapters()
    publish(session.home.deployed, row.candidate.path)
    asked = len(session.store.runs.recent())
    with pytest.raises(TrainingError, match=r"has rank 2: set \[training\] to the same"):
        begin(session)
    assert len(session.store.runs.recent()) == asked


def test_what_the_bases_answers_rule_out_is_said_before_training_and_asked_once(
    in_state: InState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon tries such a round again and again."""
    session = in_state("swept")
    many = tuple(replace(BENCHMARK[0], task_id=f"t/{n}") for n in range(100))
    monkeypatch.setattr("ghostbust.loop.round_start.runnable_tasks", lambda *_: many)
    for _ in range(2):
        with pytest.raises(
            NotReadyError, match="hallucination, volume, unknown and faults: too few prompt"
        ):
            begin(session, train_anyway=False, holdout=9)
    assert session.store.rounds.recent() == []
    assert [run.spec.kind for run in session.store.runs.recent()] == [RunKind.GATE, RunKind.SWEEP]


# --- an interrupted round


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
    outcome = next_round(session, 40, 99, Stops(), train_anyway=True)
    done = newest(session)
    assert (outcome.round_id, done.id, done.seed, done.state) == (1, 1, SEED, RoundState.REJECTED)
    assert (outcome.before.run_id, outcome.after.run_id) == (done.before_run, done.after_run)
    assert outcome.before.measurement.answers == HELD_OUT
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
    outcome = next_round(session, 10, 3, listener, train_anyway=True)
    assert listener.begun == ["go on with round 1, which is gated"]
    assert outcome.promotion is not None
    assert (outcome.before.measurement.answers, outcome.candidate.name) == (HELD_OUT, name)
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
    outcome = next_round(session, 10, 3, Silence(), train_anyway=True)
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
