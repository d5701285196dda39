"""Splits an answer into fenced code, inline code and prose, each with its place in the answer.

Fences follow CommonMark with four liberties that model answers need: a fence may be indented
by any amount or stand behind a list marker or ``>``; a fence of the same length with an info
string inside an open block starts a new block (the model forgot to close the first); an open
block ends with the answer; one that an answer begins with may close the prompt's block and open
none (``_closes_prompt``). A fence labelled as Markdown is an answer within the answer.

The other functions take away what stands around code in a block: HTML's escapes, quote marks, diff
signs, line numbers, tracebacks, consoles' prompts, the JSON of a notebook, the line breaks of YAML.
What they take away is overwritten by blanks, or the text knows its places (`Placed`), so that each
character can be found in the answer.
"""

from __future__ import annotations

import html
import re
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from itertools import pairwise

from ghostbust.extractors.interface import (
    Language,
    Placed,
    blanked,
    line_end,
    placed_lines,
    word_set,
)
from ghostbust.extractors.literals import StringLiteral, read_object

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
        position = fence.end
        if fence.closed:
            position = min(line_end(text, position) + 1, len(text))
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
    """True where the first fence closes a block that the prompt left open.

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


def _prose(text: str, start: int, end: int) -> list[Block]:
    """The prose block ``start:end`` and the inline code in it; nothing where it is blank."""
    if not text[start:end].strip():
        return []
    blocks = [Block(BlockKind.PROSE, start, end)]
    position = start
    while (ticks := _TICKS.search(text, position, end)) is not None:
        position = ticks.end()
        for closing in _TICKS.finditer(text, position, min(line_end(text, position), end)):
            if closing[0] == ticks[0]:
                blocks.append(Block(BlockKind.INLINE, ticks.end(), closing.start()))
                position = closing.end()
                break
    return blocks


# HTML's escapes

_ENTITY = re.compile(r"&(?:lt|gt|quot|apos|amp|#39|#x27|#34|#x22|#60|#62);", re.I)
_AMPERSAND = re.compile(rf"&(?!{_ENTITY.pattern[1:]})", re.I)


def unescaped(text: str) -> Placed | None:
    """The text with each entity as the character it stands for; None where nothing is escaped.

    A character that stands there as itself, too, was escaped by nobody: its entities are what the
    code is about (``text.replace("<", "&lt;")``), and stay.
    """
    entities = list(_ENTITY.finditer(text)) if "&" in text else []
    escaped = {char for char in {html.unescape(e[0]) for e in entities} if char not in text}
    if entities and not _AMPERSAND.search(text):
        escaped.add("&")
    if escaped <= {"&"}:
        return None
    value: list[str] = []
    at: list[int] = []
    position = 0
    for entity in entities:
        char = html.unescape(entity[0])
        if char in escaped:
            value += (text[position : entity.start()], char)
            at += range(position, entity.start() + 1)
            position = entity.end()
    value.append(text[position:])
    at += range(position, len(text))
    return Placed("".join(value), at)


# Code with quote marks, diff signs or line numbers in front of its lines, or with a traceback in it

DIFF_INFOS = ("diff", "patch", "udiff")
DIFF_SIGNS = ("+", "-", " ", "@@", "\\ No newline", "diff --git", "index ")
_FILE_HEADERS = ("+++ ", "--- ", "@@", "\\ No newline", "diff --git", "index ")


def plain_code(body: str, info: str, quotes: int) -> str:
    """The code of a fenced block, as long as ``body``; ``quotes`` counts the ``>`` in front."""
    if quotes:
        body = _each_line(body, lambda line: _unquoted(line, quotes))
    label = info.partition(" ")[0].strip("{}.").lower()
    if label in DIFF_INFOS or _is_diff(body):
        body = _each_line(body, _applied)
    elif _is_numbered(body):
        body = _each_line(body, lambda line: _without_lead(line, _number_end(line)))
    return without_tracebacks(body)


def without_tracebacks(body: str) -> str:
    """The text without the lines of code that a traceback quotes below ``File "…", line 3``."""
    if '", line ' not in body:
        return body
    lines = body.splitlines(keepends=True)
    quoted = {
        number + 1
        for number, line in enumerate(lines)
        if line.lstrip().startswith('File "') and '", line ' in line
    }
    return "".join(blanked(line) if number in quoted else line for number, line in enumerate(lines))


def _each_line(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(line) for line in text.splitlines(keepends=True))


def _without_lead(line: str, end: int) -> str:
    """The line, its first ``end`` characters overwritten by blanks."""
    return blanked(line[:end]) + line[end:]


def _unquoted(line: str, quotes: int) -> str:
    """A line without its first ``quotes`` quote marks, if nothing but these stands in front."""
    end = 0
    while quotes and end < len(line) and line[end] in " \t>":
        quotes -= line[end] == ">"
        end += 1
    return _without_lead(line, end)


def _is_diff(body: str) -> bool:
    """True where every line has a sign and some are added, some removed."""
    lines = [line for line in body.splitlines() if line.strip()]
    signs = {line[0] for line in lines}
    return {"+", "-"} <= signs and all(line.startswith(DIFF_SIGNS) for line in lines)


def _applied(line: str) -> str:
    """A line of a diff as the file has it afterwards: blank where it is removed."""
    removed = line.startswith(("-", *_FILE_HEADERS))
    return _without_lead(line, len(line) if removed else min(len(line), line.startswith("+")))


def _is_numbered(body: str) -> bool:
    """True where lines are numbered one after the other, as editors show them."""
    lines = [line for line in body.splitlines() if line.strip()]
    if len(lines) < 2 or not all(_number_end(line) for line in lines):
        return False
    numbers = [int(line[: _number_end(line)]) for line in lines]
    return all(later - earlier == 1 for earlier, later in pairwise(numbers))


def _number_end(line: str) -> int:
    """Offset behind the number that a line starts with; 0 where none stands there by itself."""
    number = line.split(None, 1)[0] if line.strip() else ""
    if not (number.isascii() and number.isdigit() and len(number) < 7):
        return 0
    return line.index(number) + len(number)


# Diffs. The name of a changed file is that behind ``+++``. A diff stands in a fence, or between
# prose from a line ``diff --git`` up to the first line that no diff has.

_OPEN = word_set("text txt plaintext plain none code") | frozenset({*DIFF_INFOS, ""})
_GIT = "diff --git "
_HEADS = (
    *DIFF_SIGNS, "new file mode ", "deleted file mode ", "old mode ", "new mode ", "similarity ",
    "dissimilarity ", "rename ", "copy ", "Binary files ",
)  # fmt: skip


def with_diffs_split(text: str, blocks: list[Block]) -> list[Block]:
    """The blocks, with one for each changed file of a diff instead of the block that holds it."""
    split = [part for block in blocks for part in _parts(text, block)]
    ends = {part.start: part.end for part in split if part.is_diff}
    starts = sorted(ends)

    def is_inside(part: Block) -> bool:
        number = bisect(starts, part.start) - 1
        return number >= 0 and part.start < ends[starts[number]]

    return [part for part in split if part.kind is not BlockKind.INLINE or not is_inside(part)]


def _parts(text: str, block: Block) -> Iterator[Block]:
    """The files of a diff in a block and the prose around it; else the block itself."""
    body = text[block.start : block.end]
    label = (block.info.strip("{}.").lower().split() or [""])[0]
    if block.kind is BlockKind.INLINE or "+++ " not in body:
        yield block
    elif block.kind is BlockKind.PROSE:
        yield from _in_prose(text, block) if _GIT in body else [block]
    elif label in _OPEN and not block.quotes:
        yield from _files(text, block) or [block]
    else:
        yield block


def _in_prose(text: str, block: Block) -> Iterator[Block]:
    """Prose and the diffs in it, in turn."""
    prose = block.start
    diff: int | None = None
    body = text[block.start : block.end]
    for place, line in [*placed_lines(body), (len(body), "end")]:
        start = block.start + place
        if diff is None and line.startswith(_GIT):
            diff = start
            if text[prose:start].strip():
                yield replace(block, start=prose, end=start)
        elif diff is not None and line.strip() and not line.startswith(_HEADS):
            yield from _files(text, replace(block, start=diff, end=start))
            diff, prose = None, start
    if text[prose : block.end].strip():
        yield replace(block, start=prose)


def _files(text: str, block: Block) -> list[Block]:
    """One block for each ``+++`` line: what follows it up to the head of the next file."""
    files: list[Block] = []
    name, body = "", -1
    previous = ""
    content = text[block.start : block.end]
    for place, line in [*placed_lines(content), (len(content), _GIT)]:
        start = block.start + place
        if line.startswith(_GIT) or (line.startswith("+++ ") and previous.startswith("--- ")):
            end = start - (len(previous) if line.startswith("+") else 0)
            if body >= 0 and name:
                files.append(Block(BlockKind.FENCE, body, min(end, block.end), name, is_diff=True))
            body = start + len(line) if line.startswith("+") else -1
            name = _name(line)
        previous = line
    return files


def _name(line: str) -> str:
    """The file behind ``+++``; empty where there is none, as for one that is deleted."""
    path = line[len("+++ ") :].partition("\t")[0].strip().strip('"')
    return "" if path == "/dev/null" else path.removeprefix("b/")


# Sessions of Python's or IPython's console

_PROMPT = re.compile(r"[ \t]*(?:> )?[ \t]*(?:>>>(?!>)|In ?\[[ \d*]*\]:)")
_MORE = re.compile(r"[ \t]*(?:> )?[ \t]*\.\.\.(?::|(?=\s|$))")
_LONG_QUOTES = ('"""', "'''")


def entered(text: str) -> str:
    """The code behind the prompts (``>>>``, ``In [1]:``), as long as ``text``; empty for none.

    All else, answers included, is overwritten by spaces, so that each character keeps its place.
    What a docstring quotes was entered by nobody.
    """
    if ">>>" not in text and "In[" not in text and "In [" not in text:
        return ""
    lines = []
    is_session = continues = in_docstring = False
    for line in text.splitlines(keepends=True):
        prompt = None if in_docstring else _PROMPT.match(line)
        prompt = prompt or (_MORE.match(line) if continues else None)
        continues = prompt is not None
        is_session |= continues
        if not continues:
            in_docstring ^= sum(line.count(mark) for mark in _LONG_QUOTES) % 2 == 1
        lines.append(_without_lead(line, prompt.end() if prompt else len(line)))
    return "".join(lines) if is_session else ""


# Jupyter notebooks

_LANGUAGES = {
    "": Language.PYTHON, "python": Language.PYTHON, "ipython": Language.PYTHON,
    "javascript": Language.JAVASCRIPT, "typescript": Language.JAVASCRIPT,
    "bash": Language.SHELL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is read: code, or Markdown."""

    source: Placed
    """its text, escapes resolved; ``at`` are offsets in the notebook's file"""
    language: Language
    """AUTO for Markdown, and for a kernel of another language"""


@dataclass(slots=True)
class _Raw:
    kind: str = "code"
    parts: list[StringLiteral] = field(default_factory=list)


def is_notebook(text: str) -> bool:
    """True where a text can only be a notebook's JSON, perhaps cut off."""
    return text.lstrip("\ufeff \t\r\n").startswith("{") and '"cell_type"' in text


def cells(text: str) -> Iterator[Cell]:
    """The code and Markdown cells in order. Outputs and raw cells aren't read. Never raises."""
    found: dict[int, _Raw] = {}
    kernel = ""
    for entry in read_object(text):
        path = entry.keys
        if entry.value is None:
            continue
        if path[-2:-1] == ("cells",):
            cell = found.setdefault(entry.holder, _Raw())
            if path[-1] in ("source", "input"):
                cell.parts.append(entry.value)
            elif path[-1] == "cell_type":
                cell.kind = entry.text
        elif path in (
            ("metadata", "kernelspec", "language"),
            ("metadata", "language_info", "name"),
        ):
            kernel = entry.text.lower()
    code = _LANGUAGES.get(kernel, Language.AUTO)
    for cell in found.values():
        if cell.parts and cell.kind in ("code", "markdown"):
            pieces = [part.placed() for part in cell.parts]
            at = tuple(index for piece in pieces for index in piece.at)
            source = Placed("".join(piece.value for piece in pieces), at)
            yield Cell(source, code if cell.kind == "code" else Language.AUTO)


# Commands that YAML spreads over several lines: ``run: >`` and plain scalars

_ITEM = re.compile(r"(?P<lead>[ \t]*)(?:- +)*(?:[\w.\"'-]+[ \t]*:[ \t]+|(?<=- ))(?P<value>\S)")
_BLOCK = re.compile(r"[|>][-+\d]*[ \t]*(?:#.*)?$")
_OTHERWISE = frozenset("|>&*[{\"'#!%@`")
_NEXT = re.compile(r"[ \t]*(?:- |-$|#|[\w.\"'-]+[ \t]*:(?:\s|$))")


class _Scalar(Enum):
    """What the lines below a key are, as long as they are indented more."""

    NONE = auto()
    PLAIN = auto()
    FOLDED = auto()
    KEPT = auto()


def folded(text: str) -> str:
    """``text`` with spaces for the line breaks that YAML reads as such; of the same length.

    In a block a line that is indented more than the first one keeps its breaks, as in YAML.
    """
    lines = text.splitlines(keepends=True)
    scalar, outer, inner, before = _Scalar.NONE, 0, 0, -1
    for number, line in enumerate(lines):
        bare = line.rstrip()
        indent = len(line) - len(line.lstrip())
        if not bare:
            before = -1
            continue
        is_within = scalar is not _Scalar.NONE and indent > outer
        if not is_within or (scalar is _Scalar.PLAIN and _NEXT.match(bare)):
            scalar, outer = _scalar_at(bare), indent
            inner, before = 0, indent if scalar is _Scalar.PLAIN else -1
            continue
        inner = inner or indent
        is_joined = scalar is _Scalar.PLAIN or (
            scalar is _Scalar.FOLDED and before == indent == inner
        )
        if is_joined and before >= 0:
            kept = lines[number - 1].rstrip("\r\n")
            lines[number - 1] = kept + " " * (len(lines[number - 1]) - len(kept))
        before = indent
    return "".join(lines)


def _scalar_at(line: str) -> _Scalar:
    """The scalar that a line with a key or a dash begins."""
    item = _ITEM.match(line)
    if item is None:
        return _Scalar.NONE
    value = line[item.start("value") :]
    if _BLOCK.match(value):
        return _Scalar.FOLDED if value[0] == ">" else _Scalar.KEPT
    return _Scalar.NONE if value[0] in _OTHERWISE else _Scalar.PLAIN
