"""Redacted names can be recognised by who has them, and not registered by who hasn't."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.records import Ecosystem, Hallucination, Verdict
from ghostbust.text import Lines, Place, came_back, no_formula, redact


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ghost-utils", "gho…(11)"),
        ("ab", "a…(2)"),
        ("a", "…(1)"),
        ("abcd", "ab…(4)"),
        ("@scope/ghost-utils", "@scope/gho…(11)"),
        ("größe", "gr…(5)"),
        ("", "…(0)"),
    ],
)
def test_names_are_shortened_by_at_least_half(name: str, shown: str) -> None:
    assert redact(name) == shown
    left = shown.rpartition("/")[2].partition("…")[0]
    assert len(left) <= len(name.rpartition("/")[2]) / 2


def test_a_formula_becomes_text_and_other_text_stays_as_it_is() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(1)", " =1", "\uff1d1", "|x", "%x"):
        assert no_formula(text) == f"'{text}"
    for text in ("requests", "a=b", "'quoted", ""):
        assert no_formula(text) == text


@pytest.mark.parametrize(
    ("back", "again", "said"), [(8, 10, "8 of 10"), (0, 3, "0 of 3"), (0, 0, "-")]
)
def test_a_share_is_never_shown_without_its_tries(back: int, again: int, said: str) -> None:
    day = datetime(2026, 12, 1, tzinfo=UTC)
    name = Hallucination(
        Ecosystem.PYPI, "ghost", Verdict.ABSENT, "", 9, 2, day, day, None, again, back
    )
    assert came_back(name) == said


@pytest.mark.parametrize(
    ("text", "word", "place"),
    [
        ("x", "x", (1, 1, 1, 2)),
        ("a\n  x", "x", (2, 3, 2, 4)),
        ("a\r\nx", "x", (2, 1, 2, 2)),
        ("é😀x", "x", (1, 3, 1, 4)),
        ("\ufeffx", "x", (1, 1, 1, 2)),
        ("\ufeff\nx", "x", (2, 1, 2, 2)),
        ("ab\ncd", "b\nc", (1, 2, 2, 2)),
        ("\n\n\nx\n", "x", (4, 1, 4, 2)),
    ],
)
def test_place(text: str, word: str, place: tuple[int, int, int, int]) -> None:
    start = text.index(word)
    assert Lines("f", text).place(start, start + len(word)) == Place("f", *place)


def test_the_end_of_a_text_without_a_line_end() -> None:
    assert Lines("f", "").place(0, 0) == Place("f", 1, 1, 1, 1)
