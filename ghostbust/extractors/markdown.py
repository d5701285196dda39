"""Splits an answer into fenced code, inline code and prose, each with its place in the answer.

Fences follow CommonMark with four liberties that model answers need: a fence may be indented
by any amount or stand behind a list marker or ``>``; a fence of the same length with an info
string inside an open block starts a new block (the model forgot to close the first); an open
block ends with the answer; one that an answer begins with may close the prompt's block and open
none (``_closes_prompt``). A fence labelled as Markdown is an answer within the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

_FENCE = re.compile(
    r"^(?P<lead>[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]*)?)(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$",
    re.M,
)
_TICKS = re.compile(r"`+")
_MARKDOWN = re.compile(r"(?:markdown|md|\S+\.md)\b", re.I)


class BlockKind(StrEnum):
    """What a block of an answer is."""

    FENCE = "fence"
    INLINE = "inline"
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class Block:
    """One part of an answer; ``text[start:end]`` is its content without the marks around it."""

    kind: BlockKind
    start: int
    end: int
    info: str = ""
    """info string of a fence, stripped; empty where there is none"""
    closed: bool = True
    """False for a fence that nothing closes"""
    quotes: int = 0
    """number of ``>`` in front of a fence, which stand in front of each of its lines as well"""
    is_diff: bool = False
    """True for the lines of one file in a diff, whose name is ``info``"""


def split(text: str) -> list[Block]:
    """All blocks of ``text`` in order: fences and prose side by side, inline code inside prose.

    Of a fence that holds Markdown the blocks in it, but one level deep only.
    """
    return [inner for block in _split(text) for inner in _opened(text, block)]


def line_before(text: str, block: Block) -> str:
    """The line in front of a fence that isn't blank; empty for other blocks."""
    if block.kind is not BlockKind.FENCE or not block.start:
        return ""
    before = text[max(block.start - 600, 0) : block.start - 1].rpartition("\n")[0]
    return before.rstrip().rpartition("\n")[2]


def _opened(text: str, block: Block) -> list[Block]:
    """The blocks in a fence that holds Markdown; any other block itself."""
    if block.kind is not BlockKind.FENCE or not _MARKDOWN.match(block.info):
        return [block]
    return [
        replace(inner, start=block.start + inner.start, end=block.start + inner.end)
        for inner in _split(text[block.start : block.end])
    ]


def _split(text: str) -> list[Block]:
    blocks: list[Block] = []
    position = 0
    for opened, fence in _fences(text):
        blocks += _prose(text, position, opened)
        blocks.append(fence)
        position = _behind_closing(text, fence)
    return blocks + _prose(text, position, len(text))


def _fences(text: str) -> Iterator[tuple[int, Block]]:
    """Pairs of (offset of the opening line, fenced block)."""
    opening: re.Match[str] | None = None
    lines = list(_FENCE.finditer(text))
    for line in lines[_closes_prompt(text, lines) :]:
        marks, info = line["fence"], line["info"].strip()
        if opening is None:
            if not (marks[0] == "`" and "`" in info):
                opening = line
            continue
        open_marks = opening["fence"]
        if marks[0] != open_marks[0] or len(marks) < len(open_marks):
            continue
        if not info:
            yield opening.start(), _fence(opening, line.start(), closed=True)
            opening = None
        elif len(marks) == len(open_marks) and "`" not in info:
            yield opening.start(), _fence(opening, line.start(), closed=False)
            opening = line
    if opening is not None:
        yield opening.start(), _fence(opening, len(text), closed=False)


def _closes_prompt(text: str, fences: Sequence[re.Match[str]]) -> bool:
    """True where the first fence closes a block of the prompt, which the answer goes on with.

    It stands in front of all else, has no info string and a blank line behind it, and no partner:
    the next one opens a block by its info string, or those behind it make pairs.
    """
    if not fences or fences[0]["info"].strip() or text[: fences[0].start()].strip():
        return False
    behind = text[fences[0].end() :].split("\n", 2)
    is_apart = len(behind) == 3 and not behind[1].strip()
    return is_apart and (len(fences) % 2 == 1 or bool(fences[1]["info"].strip()))


def _fence(opening: re.Match[str], end: int, *, closed: bool) -> Block:
    start = min(opening.end() + 1, end)
    quotes = opening["lead"].count(">")
    return Block(BlockKind.FENCE, start, end, opening["info"].strip(), closed, quotes)


def _behind_closing(text: str, fence: Block) -> int:
    if not fence.closed:
        return fence.end
    newline = text.find("\n", fence.end)
    return len(text) if newline < 0 else newline + 1


def _prose(text: str, start: int, end: int) -> list[Block]:
    """The prose block ``start:end`` and the inline code in it; nothing where it is blank."""
    if not text[start:end].strip():
        return []
    blocks = [Block(BlockKind.PROSE, start, end)]
    position = start
    while (ticks := _TICKS.search(text, position, end)) is not None:
        position = ticks.end()
        line_end = text.find("\n", position, end)
        line_end = end if line_end < 0 else line_end
        for closing in _TICKS.finditer(text, position, line_end):
            if closing[0] == ticks[0]:
                blocks.append(Block(BlockKind.INLINE, ticks.end(), closing.start()))
                position = closing.end()
                break
    return blocks
