"""A piece of text that knows where each of its characters stands in the text it was read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """What was written, quotes and escapes removed."""

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
