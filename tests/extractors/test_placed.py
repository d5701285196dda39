"""Texts that know where their characters stand."""

from __future__ import annotations

from ghostbust.extractors.interface import Placed, plain


def test_a_plain_piece_stands_where_it_was_cut_from() -> None:
    piece = plain("größe rich", 6, 10)
    assert piece.value == "rich"
    assert piece.span(0, 4) == (6, 10)
    assert piece.part(1, 3).span(0, 2) == (7, 9)


def test_what_is_not_in_one_piece_has_no_span() -> None:
    torn = Placed("abcd", (0, 1, 4, 5))
    assert torn.span(0, 2) == (0, 2)
    assert torn.span(2, 4) == (4, 6)
    assert torn.span(0, 4) is None
    assert torn.span(2, 2) is None
