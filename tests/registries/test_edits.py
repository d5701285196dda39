"""The walk finds what comparing one by one would find."""

from __future__ import annotations

import random

import pytest

from ghostbust.registries.nearest import within


def edits(one: str, other: str) -> int:
    """Optimal string alignment, by the textbook."""
    table = [
        [a + b if not a or not b else 0 for b in range(len(other) + 1)] for a in range(len(one) + 1)
    ]
    for a in range(1, len(one) + 1):
        for b in range(1, len(other) + 1):
            changed = table[a - 1][b - 1] + (one[a - 1] != other[b - 1])
            table[a][b] = min(table[a - 1][b] + 1, table[a][b - 1] + 1, changed)
            if a > 1 and b > 1 and one[a - 1] == other[b - 2] and one[a - 2] == other[b - 1]:
                table[a][b] = min(table[a][b], table[a - 2][b - 2] + 1)
    return table[-1][-1]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("limit", [0, 1, 2])
def test_within(seed: int, limit: int) -> None:
    dice = random.Random(seed)
    words = sorted({"".join(dice.choices("abc-", k=dice.randrange(7))) for _ in range(150)})
    word = "".join(dice.choices("abc-", k=dice.randrange(7)))
    near = {other: edits(word, other) for other in words}
    expected = {other: count for other, count in near.items() if count <= limit}
    assert dict(within(word, words, limit)) == expected


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert list(within("word", [], 2)) == []
    assert list(within("", ["", "a", "abc"], 1)) == [("", 0), ("a", 1)]


def test_any_letter_may_stand_in_a_word() -> None:
    assert dict(within("naïve", ["naive", "naïve", "\U0010fffe"], 1)) == {"naive": 1, "naïve": 0}
