"""A round's sets, and what becomes of a candidate by its gate report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.config import override
from ghostbust.errors import CanaryError, EndpointError, GhostbustError, PublishError, TrainingError
from ghostbust.loop.round_steps import canary, choose_sets, promote, train_answers
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, side_of, split, suite_family
from ghostbust.publishers.directory import published
from ghostbust.records import Candidate, GateVerdict, Promotion, Prompt, SetSplit, Side
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from tests.loop.rounds import SAMPLING, plan_of, report_of, write_made_up


def chosen(session: Session, run: int | None = None, holdout: tuple[Prompt, ...] = ()) -> SetSplit:
    """The sets of a round that learns from the answers of this run, or of all."""
    answers = train_answers(session, run)
    return choose_sets(session.config, plan_of(session).training, answers, holdout)


def test_no_held_out_family_is_in_the_sets(
    session: Session, swept: Watched, tasks: list[Task]
) -> None:
    """Neither one that this round measures with, nor one that another round may."""
    share = session.config.prompts.holdout_share
    _, holdout = split(tasks, share)
    logged = {answer.sample.prompt.family for answer in swept.answers}
    assert len({task.id for task in holdout} & logged) >= 4
    measured = holdout[0].prompt(swept.answers[0].sample.prompt.context)
    sets = chosen(session, holdout=(measured,))
    families = {a.sample.prompt.family for a in (*sets.forget, *sets.retain)}
    assert families
    assert {side_of(family, share) for family in families} == {Side.TRAIN}
    assert all(answer.invented for answer in sets.forget)
    assert not any(answer.invented for answer in sets.retain)


@pytest.mark.parametrize("suite", ["garak", "fresh"])
def test_answers_to_a_suite_are_logged_and_never_train(
    session: Session, sampler: LocalSampler, tasks: list[Task], suite: str
) -> None:
    train, _ = split(tasks, session.config.prompts.holdout_share)
    of_suite = [replace(task, id=suite_family(suite, task.id)) for task in train]
    watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
    assert watcher.tasks(of_suite, RunKind.SWEEP).measurement.absent
    assert list(train_answers(session)) == []
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        chosen(session)


def test_a_round_can_learn_from_one_run_and_only_from_its_own_model(
    session: Session, sampler: LocalSampler, swept: Watched, tasks: list[Task]
) -> None:
    again = Watcher(session.store, sampler, session.judge, replace(SAMPLING, seed=9))
    train, _ = split(tasks, session.config.prompts.holdout_share)
    sets = chosen(session, again.tasks(train[:10], RunKind.SWEEP).run_id)
    assert {a.sample.seed for a in (*sets.forget, *sets.retain)} == {9}
    assert {answer.sample.seed for answer in train_answers(session)} == {1, 9}
    other = replace(session, config=override(session.config, model__name="another-model"))
    assert list(train_answers(other)) == []


@pytest.fixture
def candidate(session: Session) -> Candidate:
    """That of round 1, which has come to its gates."""
    path = write_made_up(session.home.adapters / "round-0001-aa")
    made = Candidate(path.name, path, "m", "au", 0, 1, 0.1, 1.0)
    session.store.rounds.start(model="m", method="au", seed=0, settings={})
    session.store.rounds.add_candidate(1, made)
    return made


def settled(
    session: Session, candidate: Candidate, *verdicts: GateVerdict
) -> tuple[Promotion | None, Round]:
    """What came of the candidate with these verdicts, and its round."""
    plan, report = plan_of(session), report_of(candidate.name, *verdicts)
    publishing = canary(plan, 1, candidate, report)
    return promote(plan, 1, report, publishing), session.store.rounds.get(1)


def test_what_passes_every_gate_is_promoted(session: Session, candidate: Candidate) -> None:
    promotion, done = settled(session, candidate, GateVerdict.PASS, GateVerdict.PASS)
    assert promotion is not None
    assert published(session.home.deployed) == (candidate.name, candidate.path)
    assert done.state is RoundState.PROMOTED


def test_in_review_mode_a_person_has_the_last_word(session: Session, candidate: Candidate) -> None:
    reviewed = replace(session, config=override(session.config, daemon__promote="review"))
    promotion, done = settled(reviewed, candidate, GateVerdict.PASS)
    assert (promotion, done.state) == (None, RoundState.WAITING)
    assert published(session.home.deployed) is None


@pytest.mark.parametrize("other", [GateVerdict.FAIL, GateVerdict.INCONCLUSIVE])
def test_one_gate_that_does_not_pass_is_enough(
    session: Session, candidate: Candidate, other: GateVerdict
) -> None:
    promotion, done = settled(session, candidate, GateVerdict.PASS, other)
    assert (promotion, done.state, done.reason) == (None, RoundState.REJECTED, f"gate-1 {other}")
    assert published(session.home.deployed) is None


@pytest.mark.parametrize("step", ["bring_up", "let_serve"])
@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CanaryError("canary of it at gpu: it stammers"), RoundState.REJECTED),
        (PublishError("gpu doesn't take it"), RoundState.WAITING),
        (EndpointError("can't reach gpu"), RoundState.WAITING),
    ],
)
def test_what_cannot_be_published_does_not_serve(
    error: GhostbustError, state: RoundState, step: str, session: Session, candidate: Candidate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"ghostbust.loop.round_steps.{step}", fails)
    promotion, done = settled(session, candidate, GateVerdict.PASS)
    assert (promotion, done.state, str(error) in done.reason) == (None, state, True)
    assert published(session.home.deployed) is None
