"""Commands that YAML spreads over lines."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import folded

CASES = [
    ("run: >\n  pip install\n  a\n  b\nx: 1\n", "run: >\n  pip install   a   b\nx: 1\n"),
    ("- run: >-\n    a\n    b\n\n    c\n", "- run: >-\n    a     b\n\n    c\n"),
    ("x: >2\n  a\n    b\n  c\n  d\n", "x: >2\n  a\n    b\n  c   d\n"),
    ("- > # why\n  a\n  b\n- c\n", "- > # why\n  a   b\n- c\n"),
    ("run: |\n  if a\n    b\n  c\n", "run: |\n  if a\n    b\n  c\n"),
    ("- a\n  b\n- c\n", "- a   b\n- c\n"),
    ("x: a\n  b\n  c\ny: d\n", "x: a   b   c\ny: d\n"),
    ("- name: x\n    run: y\n    - z\n", "- name: x\n    run: y\n    - z\n"),
    ("x:\n  a: 1\n  b: [c,\n    d]\n", "x:\n  a: 1\n  b: [c,\n    d]\n"),
    ("a\n  b\n", "a\n  b\n"),
    ("run: >\r\n  a\r\n  b\r\n", "run: >\r\n  a    b\r\n"),
    ("run: >", "run: >"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "joined"), CASES)
def test_folded(text: str, joined: str) -> None:
    assert folded(text) == joined
    assert len(joined) == len(text)


def test_extract_reads_commands_on_several_lines() -> None:
    text = (
        "```yaml\n- run: >\n    pip install\n    httpx\n    rich\n- run: pip install\n    lxml\n```"
    )
    refs = extract(text)
    assert [ref.raw for ref in refs] == ["httpx", "rich", "lxml"]
    assert [text[ref.start : ref.end] for ref in refs] == ["httpx", "rich", "lxml"]
    assert [ref.raw for ref in extract("x: >\n  pip install\n  httpx", filename="a.yml")] == [
        "httpx"
    ]


@pytest.mark.parametrize(
    "line", ["  a\n", "- a\n", "x: >\n", "x: " * 99, "- " * 99 + "\n", "\n", "  "]
)
@pytest.mark.usefixtures("hang_guard")
def test_takes_linear_time(line: str) -> None:
    folded("x: >\n" + line * (1_000_000 // len(line)))
