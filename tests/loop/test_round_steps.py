"""A round's sets, and what becomes of a candidate by its gate report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import override
from ghostbust.errors import (
    CanaryError,
    EndpointError,
    GhostbustError,
    PublishError,
    TrainingError,
)
from ghostbust.loop.round_steps import select_sets, settle_round, train_answers
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, side_of, split, suite_family
from ghostbust.publishers.directory import published
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict, Side
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from tests.loop.rounds import SAMPLING, plan_of


def report(name: str, *verdicts: GateVerdict) -> GateReport:
    results = (GateResult(f"gate-{n}", v, "", None, None, None, "") for n, v in enumerate(verdicts))
    return GateReport(name, tuple(results))


def test_no_held_out_family_is_in_the_sets(
    session: Session, sampler: LocalSampler, swept: Watched, tasks: list[Task]
) -> None:
    """Neither one that this round measures with, nor one that another round may."""
    share = session.config.prompts.holdout_share
    _, holdout = split(tasks, share)
    logged = {answer.sample.prompt.family for answer in swept.answers}
    assert len({task.id for task in holdout} & logged) >= 4
    measured = [holdout[0].prompt(answer.sample.prompt.context) for answer in swept.answers[:1]]
    sets = select_sets(plan_of(session), sampler, measured)
    families = {a.sample.prompt.family for a in (*sets.forget, *sets.retain)}
    assert families
    assert {side_of(family, share) for family in families} == {Side.TRAIN}
    assert all(answer.invented for answer in sets.forget)
    assert not any(answer.invented for answer in sets.retain)


def test_answers_to_an_external_suite_are_logged_and_never_train(
    session: Session, sampler: LocalSampler, tasks: list[Task]
) -> None:
    train, _ = split(tasks, session.config.prompts.holdout_share)
    suite = [replace(task, id=suite_family("garak", task.id)) for task in train]
    watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
    watched = watcher.tasks(suite, RunKind.SWEEP)
    assert watched.measurement.absent
    assert list(train_answers(session, sampler.model)) == []
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        select_sets(plan_of(session), sampler, [])


def test_a_round_can_be_told_to_learn_from_one_run(
    session: Session, sampler: LocalSampler, swept: Watched, tasks: list[Task]
) -> None:
    again = Watcher(session.store, sampler, session.judge, replace(SAMPLING, seed=9))
    train, _ = split(tasks, session.config.prompts.holdout_share)
    run = again.tasks(train[:10], RunKind.SWEEP)
    plan = replace(plan_of(session), train_run=run.run_id)
    sets = select_sets(plan, sampler, [])
    assert {a.sample.seed for a in (*sets.forget, *sets.retain)} == {9}
    everything = list(train_answers(session, sampler.model))
    assert {answer.sample.seed for answer in everything} == {1, 9}
    assert list(train_answers(session, "another-model")) == []


@pytest.fixture
def candidate(session: Session) -> tuple[int, Candidate]:
    """A round that has come to its gates, with a complete adapter."""
    from ghostbust.adapters import write_adapter

    rounds = session.store.rounds
    round_id = rounds.start(model="m", method="au", seed=0, settings={})
    path = session.home.adapters / "round-0001-aa"

    def save(folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}", "utf-8")
        (folder / "adapter_model.safetensors").write_bytes(b"weights")

    write_adapter(path, model="m", facts={}, save=save)
    made = Candidate(path.name, path, "m", "au", 0, 1, 0.1, 1.0)
    rounds.add_candidate(round_id, made)
    return round_id, made


def test_what_passes_every_gate_is_promoted(
    session: Session, candidate: tuple[int, Candidate]
) -> None:
    round_id, made = candidate
    good = report(made.name, GateVerdict.PASS, GateVerdict.PASS)
    promotion = settle_round(plan_of(session), round_id, made, good)
    assert promotion is not None
    assert published(session.home.deployed) == (made.name, made.path)
    assert session.store.rounds.get(round_id).state is RoundState.PROMOTED


def test_in_review_mode_a_person_has_the_last_word(
    session: Session, candidate: tuple[int, Candidate]
) -> None:
    round_id, made = candidate
    reviewed = replace(session, config=override(session.config, daemon__promote="review"))
    good = report(made.name, GateVerdict.PASS)
    assert settle_round(plan_of(reviewed), round_id, made, good) is None
    assert session.store.rounds.get(round_id).state is RoundState.WAITING
    assert published(session.home.deployed) is None


@pytest.mark.parametrize("other", [GateVerdict.FAIL, GateVerdict.INCONCLUSIVE])
def test_one_gate_that_does_not_pass_is_enough(
    session: Session, candidate: tuple[int, Candidate], other: GateVerdict
) -> None:
    round_id, made = candidate
    mixed = report(made.name, GateVerdict.PASS, other)
    assert settle_round(plan_of(session), round_id, made, mixed) is None
    round_ = session.store.rounds.get(round_id)
    assert (round_.state, round_.reason) == (RoundState.REJECTED, f"gate-1 {other}")
    assert published(session.home.deployed) is None


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CanaryError("canary of it at gpu: it stammers"), RoundState.REJECTED),
        (PublishError("gpu doesn't take it"), RoundState.WAITING),
        (EndpointError("can't reach gpu"), RoundState.WAITING),
    ],
)
def test_what_cannot_be_published_does_not_serve(
    error: GhostbustError, state: RoundState, session: Session, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("ghostbust.loop.promote.bring_up", fails)
    rounds = session.store.rounds
    round_id = rounds.start(model="m", method="au", seed=0, settings={})
    candidate = Candidate("round-aa", tmp_path / "round-aa", "m", "au", 0, 1, 0.1, 1.0)
    rounds.add_candidate(round_id, candidate)
    result = GateResult("volume", GateVerdict.PASS, "", None, None, None, "")
    report = GateReport(candidate.name, (result,))
    assert settle_round(plan_of(session), round_id, candidate, report) is None
    round_ = rounds.get(round_id)
    assert (round_.state, str(error) in round_.reason) == (state, True)
    assert published(session.home.deployed) is None
