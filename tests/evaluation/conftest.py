"""Builds answers out of texts and names."""

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
ASKED_AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def make_answer() -> MakeAnswer:
    """Makes the answer of one family with these real and invented names; blanks part names.

    Without a text it is a list of its names, as was asked for.
    """

    def make(
        family: int,
        real: str = "",
        invented: str = "",
        *,
        unknown: str = "",
        text: str | None = None,
        context: Context = Context.HELPS,
        ecosystem: Ecosystem = Ecosystem.PYPI,
        number: int = 0,
        truncated: bool = False,
    ) -> Answer:
        said = [
            *_judged(real, Verdict.REAL, ecosystem),
            *_judged(invented, Verdict.ABSENT, ecosystem),
            *_judged(unknown, Verdict.UNKNOWN, ecosystem),
        ]
        prompt = Prompt(f"task {family}", context, ecosystem, family=f"family-{family:03d}")
        if text is None:
            text = "\n".join(f"- {judged.ref.raw}" for judged in said) or "- nothing"
        sample = Sample(prompt, text, "fake", None, 0, number, 0.7, truncated, 9)
        return Answer(sample, tuple(said))

    return make


def _judged(names: str, verdict: Verdict, ecosystem: Ecosystem) -> Sequence[Judged]:
    return [
        Judged(
            PackageRef(ecosystem, RefKind.LIST, name, 0, len(name), name),
            Lookup(ecosystem, name, verdict, "made-up", "", "snapshot:test", ASKED_AT),
        )
        for name in names.split()
    ]
