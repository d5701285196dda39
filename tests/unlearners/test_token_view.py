"""The mask of a stored answer, by a tokenizer on this machine; never by one from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from ghostbust.models.convert import FOLDER
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
from ghostbust.unlearners.masks import FILE, token_marks

TEXT = "pip install ghost requests"


def answer(model: str) -> Answer:
    judged = []
    for name, verdict in (("ghost", Verdict.ABSENT), ("requests", Verdict.REAL)):
        at = TEXT.index(name)
        ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, at, at + len(name), name)
        lookup = Lookup(
            Ecosystem.PYPI, name, verdict, "", "", "live", datetime(2026, 12, 1, tzinfo=UTC)
        )
        judged.append(Judged(ref, lookup))
    prompt = Prompt("do it", Context.CODE, Ecosystem.PYPI, "f")
    return Answer(Sample(prompt, TEXT, model, None, 0, 0, 0.7, False, 4), tuple(judged))


def save(folder: Path) -> None:
    folder.mkdir(parents=True)
    words = {word: n for n, word in enumerate(["?", *TEXT.split()])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / FILE))


def test_a_folders_tokenizer_marks_each_token(tmp_path: Path) -> None:
    save(tmp_path / "model")
    marks = token_marks(answer(str(tmp_path / "model")), tmp_path)

    assert marks == [(0, 3, 0), (4, 11, 0), (12, 17, 2), (18, 26, 1)]


def test_the_embedded_models_tokenizer_is_in_the_cache_folder(tmp_path: Path) -> None:
    assert token_marks(answer("smollm2"), tmp_path) is None
    save(tmp_path / "models" / FOLDER)
    assert token_marks(answer("smollm2"), tmp_path) is not None


@pytest.mark.parametrize(
    "model", ["someone/no-such-model", "http://127.0.0.1:1/v1", "no-such", "../x/../y", ""]
)
def test_a_model_whose_tokenizer_is_not_here_has_no_mask(tmp_path: Path, model: str) -> None:
    assert token_marks(answer(model), tmp_path) is None
