"""Tables of an evaluation for people: figures with their intervals, as wide as the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import rich.table

from ghostbust.cli.output import cell, table

if TYPE_CHECKING:
    from ghostbust.evaluation.report import Table

MOST_DECIMALS = 6
KEYS = (
    "model", "temperature", "context", "variant", "benchmark", "tokens", "gate", "method", "seed",
    "way", "round",
)  # fmt: skip
"""columns that say what a row's figures are of"""
GAP = 2
TEXT = 24
"""characters that a column of longer texts, or of longer words, must have"""


def shown_tables(one: Table, width: int) -> list[rich.table.Table]:
    """A section's table, below each other as many as it takes for ``width`` characters.

    Each begins with the keys. What doesn't exist is a dash, and a first key isn't repeated.
    """
    texts = {
        column: [shown(row.get(column)) for row in one.rows]
        for column in dict.fromkeys(column for row in one.rows for column in row)
    }
    made = []
    for number, columns in enumerate(_blocks(texts, width)):
        block = table(title=None if number else one.title)
        block.padding = (0, GAP - 1, 0, 0)
        for column, room in zip(columns, _widths(texts, columns, width), strict=True):
            block.add_column(column, width=room, overflow="fold")
        for row in range(len(one.rows)):
            told = [texts[column][row] for column in columns]
            if row and told[0] == texts[columns[0]][row - 1]:
                told[0] = ""
            block.add_row(*map(cell, told))
        made.append(block)
    return made


def shown(value: object) -> str:
    """A cell's text: a figure with its interval or spread, a number, or as it is."""
    from ghostbust.evaluation.report import Estimate, Spread

    match value:
        case Estimate():
            return _figure(value.value, value.low, value.high)
        case Spread():
            return _figure(value.mean, value.least, value.most)
        case None:
            return "–"
        case float():
            return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def _figure(*numbers: float) -> str:
    """Value, low and high in three decimals, or as many as tell two digits of the largest.

    Without a blank in the interval, so that a narrow column breaks the line before it.
    """
    if math.isnan(numbers[0]):
        return "–"
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0)
    decimals = max(3, 1 - math.floor(math.log10(largest))) if largest else 3
    value, low, high = (f"{x:.{min(decimals, MOST_DECIMALS)}f}" for x in numbers)
    return value if math.isnan(numbers[1]) else f"{value} ({low}..{high})"


Texts = dict[str, list[str]]
"""the cells of each column"""


def _blocks(texts: Texts, width: int) -> list[list[str]]:
    """The columns of each table: the leading keys, and as many others as there is room for."""
    columns = list(texts)
    keys = list(takewhile(KEYS.__contains__, columns))
    blocks = [list(keys)] if columns else []
    for column in columns[len(keys) :]:
        wanted = [*blocks[-1], column]
        too_wide = sum(_least(texts, name) for name in wanted) > _room(len(wanted), width)
        if too_wide and len(wanted) > len(keys) + 1:
            blocks.append([*keys, column])
        else:
            blocks[-1].append(column)
    return blocks


def _widths(texts: Texts, columns: Sequence[str], width: int) -> list[int]:
    """What each column needs, and then, from the left, what it would have without breaking."""
    least = [_least(texts, column) for column in columns]
    spare = _room(len(columns), width) - sum(least)
    for number, column in enumerate(columns):
        more = max(0, min(spare, _whole(texts, column) - least[number]))
        least[number] += more
        spare -= more
    return least


def _room(columns: int, width: int) -> int:
    """Characters for the cells: without the gaps, and the blank at each edge."""
    return width - GAP * columns - 2


def _least(texts: Texts, column: str) -> int:
    words = max(len(word) for text in (column, *texts[column]) for word in text.split() or [""])
    return min(TEXT, max(words, _whole(texts, column) if _is_text(texts[column]) else 0))


def _whole(texts: Texts, column: str) -> int:
    return max(len(column), *(len(text) for text in texts[column]))


def _is_text(cells: Sequence[str]) -> bool:
    """Whether the column's cells hold sentences rather than figures."""
    return any(len(text.split()) > 2 for text in cells)
