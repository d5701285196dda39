"""Tables of an evaluation for people: figures with their intervals, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

import rich.table

from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.evaluation.report import Table

KEYS = (
    "model", "temperature", "context", "variant", "benchmark", "tokens", "gate", "method", "seed",
    "way", "round",
)  # fmt: skip
"""columns that say what a row's figures are of"""
GAP = 2
TEXT = 24
"""characters that a column of longer texts, or of longer words, must have"""


def print_tables(output: Output, tables: Sequence[Table]) -> None:
    """A section's tables and their notes, as wide as the terminal."""
    for one in tables:
        for shown in shown_tables(one, output.result.width):
            output.result.print(shown)
        for note in one.notes:
            output.line(note, "dim")


def shown_tables(one: Table, width: int) -> list[rich.table.Table]:
    """A section's table, below each other as many as it takes for ``width`` characters.

    Each begins with the keys. What doesn't exist is a dash, and a first key isn't repeated.
    """
    from ghostbust.evaluation.wording import shown

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
