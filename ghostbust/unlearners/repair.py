"""Repaired answers: what an answer would have been without its inventions.

An invented name leaves its answer together with what only introduces it: the line where it stands
alone, else its word. Real names stay, so the repaired answers of a set name exactly as many real
packages as the set: learning towards them suppresses without changing the volume.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ghostbust.records import Answer

_NUMBER = re.compile(r"^(\s*)(\d+)([.)]\s)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Repaired:
    """An answer's text without its inventions."""

    text: str
    edits: tuple[int, ...]
    """offsets in ``text`` at which something was taken out, in code points, ascending"""


def repair(answer: Answer) -> Repaired:
    """The answer without its invented names. One that has none comes back as it was."""
    text = answer.sample.text
    pieces: list[str] = []
    edits: list[int] = []
    kept_to = length = 0
    for start, end in _cuts(answer):
        pieces.append(text[kept_to:start])
        length += start - kept_to
        edits.append(length)
        kept_to = end
    pieces.append(text[kept_to:])
    return Repaired(_renumbered("".join(pieces)) if edits else text, tuple(dict.fromkeys(edits)))


def _cuts(answer: Answer) -> list[tuple[int, int]]:
    """Spans to take out, ascending, apart from each other."""
    text = answer.sample.text
    cuts: list[tuple[int, int]] = []
    for judged in answer.judged:
        ref = judged.ref
        if not judged.lookup.invented or (cuts and ref.start < cuts[-1][1]):
            continue
        line = (text.rfind("\n", 0, ref.start) + 1, _line_end(text, ref.end))
        shared = any(
            line[0] <= other.ref.start < line[1] and not other.lookup.invented
            for other in answer.judged
        )
        cuts.append(_word(text, ref.start, ref.end) if shared else line)
    return cuts


def _line_end(text: str, place: int) -> int:
    newline = text.find("\n", place)
    return len(text) if newline < 0 else newline + 1


def _word(text: str, start: int, end: int) -> tuple[int, int]:
    """The name's span with what is glued to it, and the separator behind it, else before it."""
    while start > 0 and not (text[start - 1].isspace() or text[start - 1] == ","):
        start -= 1
    while end < len(text) and not (text[end].isspace() or text[end] == ","):
        end += 1
    behind = re.compile(r",?[ \t]*").match(text, end)
    if behind is not None and behind.end() > end:
        return (start, behind.end())
    while start > 0 and text[start - 1] in ", \t":
        start -= 1
    return (start, end)


def _renumbered(text: str) -> str:
    """Numbered lists count without gaps; a digit more or less doesn't move an edit by much."""
    expected: dict[str, int] = {}

    def count(match: re.Match[str]) -> str:
        indent, number, mark = match.groups()
        following = expected.get(indent, int(number)) if int(number) > 1 else 1
        expected[indent] = following + 1
        return f"{indent}{following}{mark}"

    return _NUMBER.sub(count, text)
