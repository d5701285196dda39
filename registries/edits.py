"""Which of many words are within a few edits of one: a walk through their sorted list as a trie."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

_LAST = "\U0010ffff"


def within(word: str, words: Sequence[str], limit: int) -> Iterator[tuple[str, int]]:
    """The words at most ``limit`` edits away, each with how many; ``words`` is sorted.

    An edit is a letter added, left out or changed, or two neighbours swapped (optimal string
    alignment). Words that begin alike share the work, and a beginning that is too far away
    already takes all its words out at once.
    """
    rows: list[list[int]] = [list(range(len(word) + 1))]
    before, at = "", 0
    while at < len(words):
        other = words[at]
        depth = _shared(before, other)
        del rows[depth + 1 :]
        before = other
        while depth < len(other) and min(rows[-1]) <= limit:
            rows.append(_row(word, other, rows))
            depth += 1
        if min(rows[-1]) > limit:
            before = other[:depth]
            at = bisect_left(words, before + _LAST, at)
            continue
        if rows[-1][-1] <= limit:
            yield other, rows[-1][-1]
        at += 1


def _shared(one: str, other: str) -> int:
    """How many letters both begin with."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _row(word: str, other: str, rows: Sequence[Sequence[int]]) -> list[int]:
    """Edits from the next beginning of ``other`` to each beginning of ``word``."""
    depth = len(rows) - 1
    above, letter = rows[-1], other[depth]
    row = [depth + 1]
    for column, char in enumerate(word):
        cost = min(above[column + 1] + 1, row[column] + 1, above[column] + (char != letter))
        if (
            depth and column and char == other[depth - 1] and word[column - 1] == letter
            and rows[-2][column - 1] + 1 < cost
        ):  # fmt: skip
            cost = rows[-2][column - 1] + 1
        row.append(cost)
    return row
