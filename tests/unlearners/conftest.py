"""The tiny model in float32, and answers whose names are judged by how they begin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    Sample,
    Verdict,
)

MakeAnswer = Callable[..., Answer]
DAY = datetime(2026, 11, 23, tzinfo=UTC)
MARKED = {"ghost": Verdict.ABSENT, "squat": Verdict.SUSPECT, "mist": Verdict.UNKNOWN}


@pytest.fixture
def tiny(load_tiny: Callable[[], LoadedModel]) -> LoadedModel:
    """Fresh for each test, since training puts an adapter into it."""
    return load_tiny()


@pytest.fixture(scope="session")
def load_tiny(tiny_model_dir: Path) -> Callable[[], LoadedModel]:
    """Loads the tiny model anew."""

    def load() -> LoadedModel:
        loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
        loaded.model.float()  # type: ignore[no-untyped-call]
        return loaded

    return load


@pytest.fixture(scope="session")
def make_answer() -> MakeAnswer:
    """Makes an answer of a text: names that begin with ``ghost`` are ABSENT, and so on."""

    def make(
        text: str,
        *,
        family: str = "family",
        prompt: str = "",
        listed: bool = True,
        truncated: bool = False,
        seed: int = 0,
    ) -> Answer:
        context = Context.HELPS if listed else Context.CODE
        asked = Prompt(prompt or f"task of {family}", context, Ecosystem.PYPI, family)
        sample = Sample(asked, text, "fake", None, seed, 0, 0.7, truncated, 9)
        refs = extract(text, expect_list=listed)
        return Answer(sample, tuple(Judged(ref, _lookup(ref)) for ref in refs))

    return make


def _lookup(ref: PackageRef) -> Lookup:
    name = ref.name or ref.raw
    verdict = Verdict.BUILTIN if ref.builtin else Verdict.REAL
    for head, marked in MARKED.items():
        verdict = marked if name.startswith(head) else verdict
    return Lookup(ref.ecosystem, name, verdict, "rule", "made up", "rule", DAY)
