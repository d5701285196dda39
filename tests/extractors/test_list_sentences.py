"""Where sentences list names, and where they only speak of one."""

from __future__ import annotations

import pytest

from ghostbust.extractors.lists import coded_runs, is_listing, spoken_starts


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("`a`, `b` and `c`.", [["`a`", "`b`", "`c`"]]),
        ("`a` (x, y), `b` (z)", [["`a`", "`b`"]]),
        ("`a` is `b`", [["`a`"], ["`b`"]]),
        ("`a` (open, `b`", [["`a`"], ["`b`"]]),
        ("`a", []),
        ("``", []),
        ("", []),
    ],
)
def test_coded_runs(line: str, rows: list[list[str]]) -> None:
    found = [[line[start:end] for start, end in spans] for spans, _ in coded_runs(line)]
    assert found == rows


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("It needs `a`", True),
        ("Install just the `a`", True),
        ("The packages are `a` and `b`", True),
        ("The package is `Session`", False),
        ("The methods of the library are `a` and `b`", False),
        ("`a` and `b` are needed", True),
        ("`a` is needed", False),
        ("The functions you need are `a`", False),
        ("All you need is `a`", True),
        ("npm install `a`", False),
        ("It needs a `a`", False),
    ],
)
def test_is_listing(line: str, expected: bool) -> None:
    spans, end = next(coded_runs(line))
    assert is_listing(line, spans, end) is expected


def test_what_the_packages_are_is_their_names_in_an_answer_without_others_only() -> None:
    line = "The packages are a, b."
    assert list(spoken_starts(line, is_answer=True)) == [(len("The packages are"), True)]
    assert list(spoken_starts(line, is_answer=False)) == []
    assert list(spoken_starts("You need a, b", is_answer=False)) == [(len("You need"), False)]


@pytest.mark.parametrize("part", ["`a` ", "`a`, ", "need ", "`", "`a` (", "are "])
def test_long_lines_end(part: str) -> None:
    line = part * 50_000
    for spans, end in coded_runs(line):
        is_listing(line, spans, end)
    list(spoken_starts(line, is_answer=True))
