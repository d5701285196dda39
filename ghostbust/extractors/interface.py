"""What the extractors share: the shape of a reader, texts with places, and what was not read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum

from ghostbust.records import PackageRef


class Language(StrEnum):
    """What the text to extract from is written in."""

    AUTO = "auto"
    """prose with code in it: read the fences, and look at what they hold"""
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    SHELL = "shell"
    RUST = "rust"


Extractor = Callable[[str, int], Iterable[PackageRef]]
"""Finds refs of some kinds in one slice of an answer: ``(slice, its offset in the answer)``.

Spans are those in the answer. Order doesn't matter, and a span may come twice: the caller sorts
and keeps the first. Flags that need the whole answer or the prompt are the caller's. Never raises.
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A piece of text that knows where its characters stand in the text it was read from.

    Quotes and escapes are removed.
    """

    value: str
    at: Sequence[int]
    """offset of each character of ``value`` in the text it was read from"""

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Place of ``value[start:end]`` in the text; None where it isn't in one piece there."""
        if start >= end:
            return None
        first, last = self.at[start], self.at[end - 1]
        return (first, last + 1) if last - first == end - 1 - start else None

    def part(self, start: int, end: int) -> Placed:
        """The same for ``value[start:end]``."""
        return Placed(self.value[start:end], self.at[start:end])


def plain(text: str, start: int, end: int) -> Placed:
    """``text[start:end]``, every character standing for itself."""
    return Placed(text[start:end], range(start, end))


def moved(ref: PackageRef, by: int) -> PackageRef:
    """The same ref in a text that holds this one at ``by``."""
    return replace(ref, start=ref.start + by, end=ref.end + by)


def placed_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its line break, and the offset at which it begins."""
    position = 0
    for line in text.splitlines(keepends=True):
        yield position, line
        position += len(line)


def line_end(text: str, start: int) -> int:
    """Offset of the first line break from ``start`` on; the length where there is none."""
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def behind(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Offset behind what the pattern matches at ``start``; ``start`` where it doesn't match."""
    found = pattern.match(text, start)
    return found.end() if found else start


def blanked(text: str) -> str:
    """The text with blanks for all but white space, so that what follows keeps its place."""
    return "".join(char if char.isspace() else " " for char in text)


def word_set(text: str) -> frozenset[str]:
    """The words of ``text`` between white space."""
    return frozenset(text.split())


_reasons: ContextVar[list[str] | None] = ContextVar("reasons", default=None)


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a text that was not read, or only line by line, so that names may be missing."""

    start: int
    """offset in the text, in code points"""
    end: int
    reason: str
    """why, in a few words: ``JavaScript that takes the parser too much work``"""


def give_up(reason: str) -> None:
    """Notes that something in the block being read wasn't parsed. Does nothing elsewhere.

    A parser is called far below ``examine``, which knows the block. A context variable carries the
    reason there, or else every function between the two would have to.
    """
    reasons = _reasons.get()
    if reasons is not None and reason not in reasons:
        reasons.append(reason)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collects the reasons given within, each once, in order."""
    reasons: list[str] = []
    token = _reasons.set(reasons)
    try:
        yield reasons
    finally:
        _reasons.reset(token)
