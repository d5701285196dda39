"""What was not read, or by lines only, because it is too long or takes a parser too much work.

A parser that gives up says so here, however deep below ``examine`` it was called; ``examine`` ties
the reason to the block that it reads. Without this every function between them would carry it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

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
    """Notes that something in the block being read wasn't parsed. Does nothing elsewhere."""
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
