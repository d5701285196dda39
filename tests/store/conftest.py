"""An open store with a clock that the test moves, and made-up answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Flag,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store

SNAPSHOT_DAY = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass
class Clock:
    """The time the store believes it is."""

    at: datetime = datetime(2026, 12, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def step(self, **amount: float) -> datetime:
        """The time after moving on by the given timedelta arguments."""
        self.at += timedelta(**amount)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ghostbust.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    with Store.open(path, now=clock) as store:
        yield store


SPEC = RunSpec(
    kind=RunKind.SWEEP,
    model="made-up-model",
    adapter=None,
    seed=7,
    settings={"temperature": 0.7, "top_k": 20},
    snapshots={"pypi": "2026-11-23"},
)


def log(store: Store, *answers: Answer) -> int:
    """Starts a run, adds the answers to it; its id."""
    run_id = store.runs.start(SPEC)
    store.answers.add(run_id, answers)
    return run_id


def make_answer(
    task: str = "task",
    *,
    number: int = 0,
    absent: tuple[str, ...] = (),
    real: tuple[str, ...] = (),
    source: str = "snapshot:2026-11-23",
    looked_up_at: datetime = SNAPSHOT_DAY,
    adapter: str | None = None,
    private: bool = False,
) -> Answer:
    """An answer whose text lists the names one after another."""
    names = dict.fromkeys(absent, Verdict.ABSENT) | dict.fromkeys(real, Verdict.REAL)
    text, judged = "pip install", []
    for name, verdict in names.items():
        start = len(text) + 1
        text += f" {name}"
        ref = PackageRef(
            ecosystem=Ecosystem.PYPI,
            kind=RefKind.INSTALL,
            raw=name,
            start=start,
            end=len(text),
            name=name,
            flags=frozenset({Flag.OPTIONAL, Flag.TRUNCATED}),
        )
        reason = "registered" if verdict is Verdict.REAL else "not-registered"
        lookup = Lookup(
            Ecosystem.PYPI, name, verdict, reason, f"asked for {name}", source, looked_up_at
        )
        judged.append(Judged(ref, lookup))
    prompt = Prompt(f"do {task}", Context.CODE, Ecosystem.PYPI, f"family-{task}", private=private)
    sample = Sample(prompt, text, "made-up-model", adapter, 7, number, 0.7, False, 12)
    return Answer(sample, tuple(judged))
