"""Text from others: made visible, made harmless, shortened; and where in it something stands."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from ghostbust.records import Hallucination

_FORMULA = tuple("=+-@|%＝＋－＠")
"""what a formula begins with, also in full width"""


def visible(text: str) -> str:
    """The text with control, direction and other unprintable characters escaped (``\\x1b``)."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def no_formula(text: str) -> str:
    """The text made `visible`, with an apostrophe in front where a spreadsheet would compute it.

    Spreadsheets take the apostrophe for "this is text" and hide it (OWASP, "CSV Injection").
    """
    shown = visible(text)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA else shown


def redact(name: str) -> str:
    """Enough of the name to recognise it in one's own data, too little to register it.

    Unregistered names are a shopping list for squatters: in full on the user's own terminal, or
    where asked for (`ghostbust.cli.output.Output.names_in_full`).
    """
    scope, slash, bare = name.rpartition("/")
    kept = bare[: min(3, len(bare) // 2)]
    return f"{scope}{slash}{kept}…({len(bare)})"


def came_back(name: Hallucination) -> str:
    """How often an invention came back, never without the number of tries; ``-`` without one."""
    return f"{name.came_back} of {name.asked_again}" if name.asked_again else "-"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a file, as editors count: lines and columns from 1, columns in code points."""

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
        self._mark = 1 if text.startswith("\ufeff") else 0
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
