"""Finds the column of package names in Markdown tables."""

from __future__ import annotations

from collections.abc import Iterator

from ghostbust.extractors.vocabulary import word_set

_HEADINGS = word_set(
    "package packages library libraries module modules name names dependency dependencies pypi "
    "pip npm framework frameworks distribution distributions requirement requirements"
)
_RULE = frozenset("|-: \t\r\n")


def name_cells(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each cell below a heading such as Package or Library.

    Only the first such column of a table counts, and a table has a rule below its headings.
    """
    previous: list[tuple[int, int]] = []
    column = -1
    position = 0
    for line in text.splitlines(keepends=True):
        cells = _cells(line, position)
        position += len(line)
        if not cells:
            column = -1
        elif _RULE.issuperset(line) and "-" in line:
            column = _naming(text, previous)
        elif 0 <= column < len(cells):
            yield cells[column]
        previous = cells


def _cells(line: str, offset: int) -> list[tuple[int, int]]:
    """Places of a row's cells, none where the line doesn't begin with a bar."""
    if not line.lstrip().startswith("|"):
        return []
    bars = [index for index, char in enumerate(line) if char == "|"]
    ends = [*bars[1:], len(line)] if line.rstrip()[-1] != "|" else bars[1:]
    return [(offset + bar + 1, offset + end) for bar, end in zip(bars, ends, strict=False)]


def _naming(text: str, headings: list[tuple[int, int]]) -> int:
    """Number of the first column whose heading speaks of packages; -1 where there is none."""
    for number, (start, end) in enumerate(headings):
        words = {word.strip("*_`") for word in text[start:end].lower().split()}
        if not words.isdisjoint(_HEADINGS):
            return number
    return -1
