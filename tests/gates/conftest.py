"""Builds judged answers out of names, for the gates that compare answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)

MakeAnswer = Callable[..., Answer]


@pytest.fixture
def make_answer() -> MakeAnswer:
    """A function that makes the answer of one family with so many names of each verdict."""

    def make(
        family: int,
        *,
        real: int = 0,
        invented: int = 0,
        unreachable: int = 0,
        context: Context = Context.CODE,
        number: int = 0,
    ) -> Answer:
        judged = [
            *_judged("real", real, Verdict.REAL, "registered"),
            *_judged("ghost", invented, Verdict.ABSENT, "not-registered"),
            *_judged("silent", unreachable, Verdict.UNKNOWN, "unreachable"),
        ]
        prompt = Prompt(f"task {family}", context, Ecosystem.PYPI, family=f"family-{family}")
        sample = Sample(
            prompt=prompt,
            text="",
            model="fake",
            adapter=None,
            seed=0,
            number=number,
            temperature=0.7,
            truncated=False,
            tokens=1,
        )
        return Answer(sample, tuple(judged))

    return make


def _judged(head: str, count: int, verdict: Verdict, reason: str) -> Sequence[Judged]:
    asked_at = datetime(2026, 1, 2, tzinfo=UTC)
    names = [f"{head}-{number}" for number in range(count)]
    return [
        Judged(
            PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name),
            Lookup(Ecosystem.PYPI, name, verdict, reason, "made up", "snapshot:test", asked_at),
        )
        for name in names
    ]
