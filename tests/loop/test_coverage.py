"""Watches pause where the newest ones found hardly a new name, and begin again by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ghostbust.home import Home
from ghostbust.loop.discovery import plan
from ghostbust.loop.discovery.plan import pause_reason
from ghostbust.measure import measure
from ghostbust.prompts import Task
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.sections import DiscoverySection
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

DAY = datetime(2026, 12, 1, tzinfo=UTC)
SETTINGS = DiscoverySection(stop_below=50, look_again_days=7)


@pytest.fixture(autouse=True)
def few_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 answers are enough to judge by, so that a test needs no thousand."""
    monkeypatch.setattr(plan, "LEAST_ANSWERS", 40)


def watched(
    home: Home,
    at: datetime,
    *,
    new: int,
    seed: int = 1,
    answers: int = 40,
    kind: RunKind = RunKind.WATCH,
    adapter: str | None = None,
    status: RunStatus = RunStatus.DONE,
) -> None:
    """A finished run of so many answers that is the first to see so many names."""
    with Store.open(home.database, now=lambda: at) as store:
        run_id = store.runs.start(RunSpec(kind, "m", adapter, seed))
        made = [_answer(seed, n, adapter, named=n < new) for n in range(answers)]
        store.answers.add(run_id, made)
        store.runs.finish(run_id, status, measure(made))


def _answer(seed: int, number: int, adapter: str | None, *, named: bool) -> Answer:
    prompt = Task(f"task-{number}", f"Chart the readings of mast {number}.").prompt(Context.HELPS)
    name = f"zz-ghost-{seed}-{number}"
    ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name)
    lookup = Lookup(Ecosystem.PYPI, name, Verdict.ABSENT, "", "", "rule", DAY)
    sample = Sample(prompt, name, "m", adapter, seed, number, 0.7, False, 9)
    return Answer(sample, (Judged(ref, lookup),) if named else ())


def reason(
    home: Home,
    now: datetime = DAY,
    adapter: str | None = None,
    settings: DiscoverySection = SETTINGS,
) -> str | None:
    with Store.open(home.database) as store:
        return pause_reason(store, settings, model="m", adapter=adapter, now=now)


def test_a_gain_under_the_threshold_pauses_and_says_what_was_found(home: Home) -> None:
    watched(home, DAY, new=1)
    said = reason(home)
    assert said is not None
    assert said.startswith("1 new names in the last 40 answers, 25.0 in 1,000")
    assert "stop_below (50)" in said


def test_a_gain_at_the_threshold_goes_on(home: Home) -> None:
    watched(home, DAY, new=2)
    assert reason(home) is None


def test_off_unless_it_is_asked_for(home: Home) -> None:
    watched(home, DAY, new=0)
    assert reason(home, settings=DiscoverySection()) is None


def test_too_few_answers_say_nothing(home: Home) -> None:
    watched(home, DAY, new=0, answers=39)
    assert reason(home) is None


def test_the_newest_watches_count_until_there_are_enough(home: Home) -> None:
    watched(home, DAY, new=30, seed=1)
    watched(home, DAY + timedelta(hours=1), new=0, seed=2, answers=20)
    assert reason(home) is None, "the second alone isn't enough, and the first found much"
    watched(home, DAY + timedelta(hours=2), new=0, seed=3, answers=20)
    assert reason(home) is not None


def test_it_looks_again_after_some_days(home: Home) -> None:
    watched(home, DAY, new=0)
    assert reason(home, DAY + timedelta(days=6.9)) is not None
    assert reason(home, DAY + timedelta(days=7.1)) is None


def test_it_looks_again_with_another_adapter(home: Home) -> None:
    watched(home, DAY, new=0)
    assert reason(home, adapter="round-1") is None
    watched(home, DAY + timedelta(hours=1), new=0, seed=2, adapter="round-1")
    assert reason(home, adapter="round-1") is not None


@pytest.mark.parametrize(
    ("kind", "status"),
    [(RunKind.SWEEP, RunStatus.DONE), (RunKind.WATCH, RunStatus.INTERRUPTED)],
)
def test_only_finished_watches_count(home: Home, kind: RunKind, status: RunStatus) -> None:
    watched(home, DAY, new=0, kind=kind, status=status)
    assert reason(home) is None


def test_another_models_watches_do_not_count(home: Home) -> None:
    watched(home, DAY, new=0)
    with Store.open(home.database) as store:
        assert pause_reason(store, SETTINGS, model="other", adapter=None, now=DAY) is None
