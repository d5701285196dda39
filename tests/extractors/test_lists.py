"""Names in lists of prose; see also assets/rows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ghostbust.extractors.lists import ListExtractor
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
    ("line", "names"),
    [
        ("You need `a`, `b` and `c`.", "abc"),
        ("You need `a` (x, y), `b` (z)", "ab"),
        ("You need `a` is `b`", "ab"),
        ("You need `a` (open, `b`", "a"),
        ("You need `a", ""),
        ("You need ``", ""),
        ("The packages are a1, b.", ["a1", "b"]),
        ("You need a, b", ""),
        ("You need a1, b", ["a1", "b"]),
    ],
)
def test_names_in_a_sentence(line: str, names: Sequence[str]) -> None:
    refs = ListExtractor(Ecosystem.PYPI).refs(line, 0)
    assert [ref.raw for ref in refs] == list(names)
