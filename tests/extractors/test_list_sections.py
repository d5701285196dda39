"""Which lines of an answer stand below headings that list no packages."""

from __future__ import annotations

import re

import pytest

from ghostbust.extractors.list_lines import lines_of

MARKER = re.compile(r"[ ]*[-\d][.]? ")


@pytest.mark.parametrize(
    ("text", "aside"),
    [
        ("- a\n\nVorteile:\n- b\n- c", ["- b", "- c"]),
        ("## Steps\n1. a\n\n## Packages\n1. b", ["1. a"]),
        ("**Pros:**\n- a\nMore packages:\n- b", ["- a"]),
        ("- a\n  - Pros:\n    - b\n- c", ["    - b"]),
        ("Remarques :\n- a", ["- a"]),
        ("优点：\n- a", ["- a"]),
        ("Notes on the packages:\n- a", []),
        ("Hinweise zu den Paketen:\n- a", []),
        ("Note: a\n- b", []),
        ("Here are some tips that are as long as any sentence can be:\n- a", []),
        ("Optional:\n- a", []),
        ("- a\n\nAblauf:\n- Lesen\n- Laden", ["- Lesen", "- Laden"]),
        ("Zwei Pakete: a und b.\n\nAblauf:\n- Lesen", ["- Lesen"]),
        ("- Flask\n\nAblauf:\n- Lesen", []),
        ("- a\n\nWeitere Pakete:\n- Flask", []),
        ("- a\n\nServer:\n- Flask", []),
        ("- Say what you want.\n\nThen:\n- Flask", []),
        ("- a\n\nAblauf:\n- Lesen\n- b", []),
        ("", []),
    ],
)
def test_lines(text: str, aside: list[str]) -> None:
    lines = list(lines_of(text, MARKER))
    assert [line.text.rstrip("\n") for line in lines if line.is_aside] == aside
    assert all(text.startswith(line.text, line.start) for line in lines)
    assert len(lines) == sum(bool(line.strip()) for line in text.splitlines())


@pytest.mark.parametrize("line", ["Pros:\n- a\n", "a: " * 99, "- " * 99 + "\n", " ", "#"])
@pytest.mark.usefixtures("hang_guard")
def test_takes_linear_time(line: str) -> None:
    list(lines_of(line * (1_000_000 // len(line)), MARKER))
