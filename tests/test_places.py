"""Lines and columns."""

from __future__ import annotations

import pytest

from ghostbust.text import Lines, Place


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
