"""An answer cut by verdict and by mask: the same text, and no invented name in it."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ghostbust.dashboard.details import (
    MASK_STYLES,
    STYLES,
    AnswerView,
    answer_text,
    by_token,
    by_verdict,
)
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

TEXT = "pip install ghost-kit requests # [red]ghost\x1b[2J"


def answer(text: str, *named: tuple[str, Verdict]) -> Answer:
    judged = []
    for name, verdict in named:
        start = text.index(name)
        ref = PackageRef(
            Ecosystem.PYPI, RefKind.INSTALL, name, start, start + len(name), name
        )  # fmt: skip
        at = datetime(2026, 12, 1, tzinfo=UTC)
        lookup = Lookup(Ecosystem.PYPI, name, verdict, "asked", "", "live", at)
        judged.append(Judged(ref, lookup))
    prompt = Prompt("do it", Context.CODE, Ecosystem.PYPI, "f")
    return Answer(Sample(prompt, text, "m", None, 0, 0, 0.7, True, 9), tuple(judged))


ONE = answer(TEXT, ("ghost-kit", Verdict.ABSENT), ("requests", Verdict.REAL))


def test_each_ref_has_its_verdicts_style_and_invented_names_are_redacted() -> None:
    pieces = by_verdict(ONE, str, reveal=False)

    assert [(piece.text, piece.style) for piece in pieces] == [
        ("pip install ", ""),
        ("gho…(9)", STYLES[Verdict.ABSENT]),
        (" ", ""),
        ("requests", STYLES[Verdict.REAL]),
        (" # [red]ghost\x1b[2J", ""),
    ]
    assert "".join(piece.text for piece in by_verdict(ONE, str, reveal=True)) == TEXT


def test_tokens_have_their_masks_style() -> None:
    marks = [(0, 11, 0), (11, 17, 2), (17, 21, 2), (21, 30, 1), (30, len(TEXT), 0)]
    pieces = by_token(ONE, marks, str, reveal=False)

    assert [(piece.text, piece.style) for piece in pieces if piece.style] == [
        (" ", MASK_STYLES[2]), ("gho…(9)", MASK_STYLES[2]), (" requests", MASK_STYLES[1]),
    ]  # fmt: skip
    assert "".join(piece.text for piece in by_token(ONE, marks, str, reveal=True)) == TEXT


@given(st.data())
def test_however_tokens_lie_the_text_stays_and_the_name_is_hidden(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(TEXT) - 1))))
    edges = [0, *cuts, len(TEXT)]
    marks = [(a, b, data.draw(st.sampled_from([0, 1, 2]))) for a, b in pairwise(edges)]

    assert "".join(p.text for p in by_token(ONE, marks, str, reveal=True)) == TEXT
    hidden = "".join(p.text for p in by_token(ONE, marks, str, reveal=False))
    assert hidden == TEXT.replace("ghost-kit", "gho…(9)")


def test_overlapping_refs_are_shown_once() -> None:
    twice = answer("pip install ghost-kit", ("ghost-kit", Verdict.ABSENT), ("ghost", Verdict.REAL))

    assert "".join(p.text for p in by_verdict(twice, str, reveal=True)) == "pip install ghost-kit"


@pytest.mark.parametrize("masked", [False, True])
def test_nothing_in_an_answer_is_obeyed(masked: bool) -> None:
    hide = by_verdict(ONE, str, reveal=False)
    view = AnswerView(ONE, "[b]do\x1b[2J it[/b]\nnow", hide, None, False)
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(answer_text(view, masked=masked))
    shown = out.getvalue()

    assert "\x1b" not in shown
    assert "[b]do\\x1b[2J it[/b]\nnow" in shown
    assert "# [red]ghost\\x1b[2J" in shown
    assert "ABSENT   gho…(9)" in shown
    assert ("no mask" in shown) is masked
