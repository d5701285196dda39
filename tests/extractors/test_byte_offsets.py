"""Bytes to code points and back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ghostbust.extractors.javascript_syntax import ByteOffsets


def test_ascii_is_the_same() -> None:
    places = ByteOffsets("abc" * 500)
    assert places.data == b"abc" * 500
    assert (places.code_point(1000), places.byte(1000)) == (1000, 1000)


def test_lone_surrogate_is_one_code_point() -> None:
    places = ByteOffsets("é\ud800x")
    assert places.data == "é?x".encode()
    assert places.code_point(3) == 2


@settings(max_examples=100, database=None, deadline=None, derandomize=True)
@given(st.text(alphabet="aé日🎉\n\ud800", min_size=1, max_size=40), st.integers(1, 40))
def test_each_place_and_back(piece: str, times: int) -> None:
    text = piece * times
    places = ByteOffsets(text)
    at = 0
    for index, char in enumerate(text):
        assert places.byte(index) == at
        assert places.code_point(at) == index
        at += len(char.encode("utf-8", "replace"))
    assert (places.byte(len(text)), places.code_point(at)) == (at, len(text))
