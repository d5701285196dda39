"""Where in a text something stands, as editors and code hosts count: lines and columns from 1."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file. Lines and columns count from 1, columns in code points."""

    path: str
    """as the user gave it; ``-`` for standard input"""
    line: int
    column: int
    end_line: int
    end_column: int
    """the column behind the last character"""


class Lines:
    """The lines of one text. A line ends with ``\\n``; a byte order mark takes no column."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._mark = len(_BYTE_ORDER_MARK) if text.startswith(_BYTE_ORDER_MARK) else 0
        self._starts = [0]
        at = text.find("\n")
        while at >= 0:
            self._starts.append(at + 1)
            at = text.find("\n", at + 1)

    def place(self, start: int, end: int) -> Place:
        """The place of ``text[start:end]``."""
        return Place(self.path, *self._point(start), *self._point(end))

    def _point(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        mark = self._mark if line == 1 and offset else 0
        return line, offset - self._starts[line - 1] + 1 - mark
