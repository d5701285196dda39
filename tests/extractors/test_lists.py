"""Names in lists of prose; see also assets/rows."""

from __future__ import annotations

import pytest

from ghostbust.extractors.lists import (
    ListExtractor,
    coded_runs,
    is_listing,
    spoken_starts,
)
from ghostbust.records import Ecosystem


def test_standard_library_module_in_a_list_is_builtin() -> None:
    refs = ListExtractor(Ecosystem.PYPI).refs("- os\n- Flask", 0)
    assert [(ref.name, ref.builtin) for ref in refs] == [("os", True), ("flask", False)]


def test_repeated_items_are_all_found() -> None:
    assert len(list(ListExtractor(Ecosystem.PYPI).refs("- loop\n" * 20, 0))) == 20


def test_next_is_a_framework_in_a_list_for_npm_only() -> None:
    text = "- next\n- Next"
    assert [ref.raw for ref in ListExtractor(Ecosystem.NPM).refs(text, 0)] == ["next"]
    assert list(ListExtractor(Ecosystem.PYPI).refs(text, 0)) == []


@pytest.mark.parametrize(
    "mark", [",", ";", "|", "、", " and", "和", " " * 9, ", and " * 3, " : a", "` and `"]
)
def test_a_long_line_is_read_in_linear_time(mark: str) -> None:
    text = "| Package |\n|---|\n" + f" a{mark}" * 20_000
    assert len(ListExtractor(Ecosystem.PYPI).refs(text, 0)) in (0, 20_000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("requests\nnumpy==1.2\n\n- rich", True),
        ("requests\nimport os", False),
        ("x = 1", False),
        ("", False),
    ],
)
def test_is_bare_list(text: str, expected: bool) -> None:
    assert ListExtractor(Ecosystem.PYPI).is_bare_list(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- requests\n- numpy", True),
        ("packages:\n  - requests\n  - numpy==1", True),
        ("1. requests\n2. numpy", True),
        ("requests\nnumpy", False),
        ("- requests: HTTP", False),
        ("- uses: actions/checkout\n- run: make", False),
        ("jobs:\n  - requests", False),
        ("- requests\nx: 1", False),
        ("packages:", False),
        ("", False),
    ],
)
def test_is_marked_list(text: str, expected: bool) -> None:
    assert ListExtractor(Ecosystem.PYPI).is_marked_list(text) is expected


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


def test_what_the_packages_are_is_their_names_in_an_answer_without_others_only() -> None:
    line = "The packages are a, b."
    assert list(spoken_starts(line, is_answer=True)) == [(len("The packages are"), True)]
    assert list(spoken_starts(line, is_answer=False)) == []
    assert list(spoken_starts("You need a, b", is_answer=False)) == [(len("You need"), False)]


@pytest.mark.parametrize("part", ["`a` ", "`a`, ", "need ", "`", "`a` (", "are "])
def test_long_lines_end(part: str) -> None:
    line = part * 15_000
    for spans, end in coded_runs(line):
        is_listing(line, spans, end)
    list(spoken_starts(line, is_answer=True))
