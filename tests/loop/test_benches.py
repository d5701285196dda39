"""What benches share: one training for the same, another for what begins otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import TrainingError
from ghostbust.home import Home
from ghostbust.loop.build import training_settings
from ghostbust.loop.compare import KEPT, Measured, measure_adapters, train_once
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, split
from ghostbust.records import SetSplit
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState
from ghostbust.store.rows import RunKind
from ghostbust.unlearners.sets import select
from ghostbust.unlearners.settings import Former


@pytest.fixture
def session(
    home: Home, talking_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    config = override(
        Config(),
        model__name=str(talking_model_dir),
        model__device="cpu",
        registry__mode="snapshot",
        training__rank=2,
        training__members=1,
        gates__humaneval_tasks=0,
    )
    with open_session(home, config, purpose="bench") as session:
        yield session


@pytest.fixture
def sets(session: Session, tasks: list[Task]) -> SetSplit:
    train, _ = split(tasks, session.config.prompts.holdout_share)
    base = LocalSampler.load(session.config.model.name, session.cache_dir, device="cpu")
    watcher = Watcher(session.store, base, session.judge, SamplingSettings(max_new_tokens=6))
    answers = watcher.tasks(train[:12], RunKind.SWEEP).answers
    return select(answers, (), most=12, probes=0, seed=0)


def test_the_same_is_trained_once_and_another_beginning_is_another(
    session: Session, sets: SetSplit
) -> None:
    training = training_settings(session.config, 3)
    first = train_once(session, sets, training, Silence())
    assert first.candidate is not None
    assert (first.method, first.seed, first.failure) == (training.method, 3, "")
    assert train_once(session, sets, training, Silence()) == first
    made = {first.candidate.name}
    for fixed in (False, True):
        former = Former(first.candidate.path, fixed)
        then = train_once(session, sets, training, Silence(), former)
        assert then.candidate is not None
        assert train_once(session, sets, training, Silence(), former) == then
        made.add(then.candidate.name)
    rounds = session.store.rounds.recent()
    assert {one.adapter for one in rounds} == made
    assert {(one.state, one.reason) for one in rounds} == {(RoundState.REJECTED, KEPT)}
    assert len(rounds) == 3


def test_a_start_that_does_not_fit_is_a_failure_with_a_reason(
    session: Session, sets: SetSplit
) -> None:
    first = train_once(session, sets, training_settings(session.config, 3), Silence())
    assert first.candidate is not None
    wider = training_settings(override(session.config, training__rank=4), 3)
    failed = train_once(session, sets, wider, Silence(), Former(first.candidate.path))
    assert failed.candidate is None
    assert "has rank 2" in failed.failure
    gone = Former(session.home.adapters / "gone", fixed=True)
    with pytest.raises(Exception, match="not a complete ghostbust adapter") as caught:
        train_once(session, sets, wider, Silence(), gone)
    assert not isinstance(caught.value, TrainingError)
    assert session.store.rounds.recent(1)[0].state is RoundState.FAILED


def test_without_an_adapter_nothing_is_measured(session: Session) -> None:
    measured = measure_adapters(session, (), [], Silence())
    assert measured == Measured({}, None)
    assert (measured.yardstick, measured.whole("a"), measured.objections("a")) == (None, None, ())
