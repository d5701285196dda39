"""Cuts Python code that doesn't parse as a whole into logical lines, and parses those alone.

Answers break off in the middle, mix in shell lines or forget a bracket; their imports are
readable all the same. The cutter knows strings, comments, brackets, line continuation and
the ``>>>`` of a console session, and starts anew at each line that begins with an import,
which can't stand inside an open bracket.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ghostbust.extractors.unread import give_up

_OPENING, _CLOSING = "([{", ")]}"
LONGEST = 1_048_576
"""characters of a text that is parsed; the tree takes some 100 times as much memory"""
_MOST_PARTS = 1000
_DOTTED = re.compile(r"\w+(?:[\s\\]*\.[\s\\]*\w+)*")
_CALLS = ("import_module(", "__import__(")


@dataclass(frozen=True, slots=True)
class Statement:
    """One logical line of code, comments and trailing white space included."""

    start: int
    """offset of its first character that is no white space or prompt"""
    end: int
    indent: int
    """columns in front of it"""


@dataclass(frozen=True, slots=True)
class ParsedPiece:
    """A piece of code that parses by itself, and where it starts in the text."""

    tree: ast.Module
    source: str
    start: int
    guards: tuple[str, ...] = ()
    """headers of the blocks it stands in, innermost first, and the ``except`` after each ``try``"""


def parse(source: str) -> ast.Module | None:
    """The syntax tree of ``source``, or None where it isn't valid Python. Never warns.

    None, which is noted as unread, for what is longer than ``LONGEST``, and for a dotted name of
    so many parts that Python, which joins them one by one, takes quadratic time.
    """
    if why := _too_much(source):
        give_up(why)
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _too_much(source: str) -> str:
    """Why the parser isn't given a text; empty where it is."""
    if len(source) > LONGEST:
        return f"Python of more than {LONGEST:,} characters"
    if source.count(".") > _MOST_PARTS and any(
        name[0].count(".") > _MOST_PARTS for name in _DOTTED.finditer(source)
    ):
        return f"Python with a name of more than {_MOST_PARTS:,} parts"
    return ""


def parsed_pieces(text: str) -> Iterator[ParsedPiece]:
    """The statements of ``text`` that import something and parse alone, cut-off ends mended."""
    statements = list(statements_of(text))
    outline = _outline(statements)
    for number, statement in enumerate(statements):
        source = text[statement.start : statement.end]
        if "import" not in source and not source.startswith("from "):
            continue
        guards: tuple[str, ...] = ()
        for start, end in _candidates(source):
            piece = source[start:end]
            whole = parse(piece)
            is_last = number == len(statements) - 1 and end == len(source)
            tree = whole or _mended(piece, is_last=is_last)
            if tree is not None:
                guards = guards or tuple(_guards(text, statements, outline, number))
                yield ParsedPiece(tree, piece, statement.start + start, guards)
            if whole is not None and end - start == len(source):
                break


def _candidates(source: str) -> Iterator[tuple[int, int]]:
    """Which parts of a logical line to try: all of it, then what imports within it.

    That is each import behind the colon or semicolon of a one-line block, and each call that
    imports, up to the next of them or a semicolon; none in strings and comments.
    """
    yield 0, len(source)
    starts: list[int] = []
    ends: list[int] = []
    index = 0
    while index < len(source):
        char = source[index]
        if char in "'\"":
            index = _behind_string(source, index)
            continue
        if char == "#":
            index = _line_end(source, index)
            continue
        if char in ":;":
            behind = source[index + 1 : index + 20]
            if behind.lstrip(" ").startswith(("import ", "from ")):
                starts.append(index + 1 + len(behind) - len(behind.lstrip(" ")))
            if char == ";":
                ends.append(index)
        elif source.startswith(_CALLS, index) and not (index and _is_word(source[index - 1])):
            starts.append(index)
        index += 1
    ends = sorted([*ends, *starts, len(source)])
    for start in starts:
        yield start, ends[bisect_right(ends, start)]


def _is_word(char: str) -> bool:
    return f"_{char}".isidentifier()


def _mended(source: str, *, is_last: bool) -> ast.Module | None:
    """A tree of what an import that doesn't parse says for certain, or None.

    ``from a.b import (c,`` says ``a.b``. The last statement of the text may also end in the
    middle of ``from a.b`` or ``import a,``.
    """
    if source.startswith(_CALLS):
        return _called(source)
    first, is_more, _ = source.partition(";")
    if is_more and first.startswith(("import ", "from ")):
        source, is_last = first, False
        if tree := parse(first):
            return tree
    words = source.split(None, 3)
    cut = source.rstrip().rstrip(".,").rstrip()
    if len(words) >= 3 and words[0] == "from" and words[2] == "import":
        if len(words) > 3 and words[3][0] in "'\"{":
            return None  # JavaScript
        return parse(cut) or parse(cut + ")") or parse(f"from {words[1]} import _")
    if "\n" in source.strip() or len(words) < 2:
        return None
    if words[0] == "import" and (is_last or "." in cut or " as" in cut):
        named = f"import {words[1]}" if words[2:3] == ["as"] else cut.removesuffix(" a")
        return parse(cut) or parse(named)
    if is_last and words[0] == "from":
        rest = words[2] if len(words) > 2 else ""
        return parse(f"from {words[1].rstrip('.')} import _") if "import".startswith(rest) else None
    return None


def _called(source: str) -> ast.Module | None:
    """A tree of ``import_module("…")`` alone, whatever stands behind the literal."""
    literal = source.index("(") + 1
    while source[literal : literal + 1].isspace():
        literal += 1
    if source[literal : literal + 1] not in ("'", '"'):
        return None
    return parse(source[: _behind_string(source, literal)] + ")")


def _outline(statements: list[Statement]) -> tuple[list[int], list[int]]:
    """For each statement the number of the one it stands in, and of the first behind its block.

    By indentation, in one pass: -1 where it stands in none, the length where nothing is behind.
    """
    parents = [-1] * len(statements)
    behind = [len(statements)] * len(statements)
    open_blocks: list[int] = []
    for number, statement in enumerate(statements):
        while open_blocks and statements[open_blocks[-1]].indent >= statement.indent:
            behind[open_blocks.pop()] = number
        if open_blocks:
            parents[number] = open_blocks[-1]
        open_blocks.append(number)
    return parents, behind


def _guards(
    text: str, statements: list[Statement], outline: tuple[list[int], list[int]], number: int
) -> Iterator[str]:
    """Headers of the blocks that statement ``number`` stands in, cut to a line's length."""
    parents, behind = outline
    at = parents[number]
    while at >= 0:
        header = _head(text, statements[at])
        yield header
        after = behind[at]
        if header.startswith("try") and after < len(statements):
            handler = _head(text, statements[after])
            if statements[after].indent == statements[at].indent and handler.startswith("except"):
                yield handler
        at = parents[at]


def _head(text: str, statement: Statement) -> str:
    return text[statement.start : min(statement.end, statement.start + 200)]


def texts_in(code: str) -> Iterator[tuple[int, int]]:
    """Start and end of each comment and each string literal of code that parses, in order."""
    index = 0
    while index < len(code):
        start = index
        if code[index] == "#":
            index = _line_end(code, index)
            yield start, index
        elif code[index] in "'\"":
            index = _behind_string(code, index)
            yield start, index
        else:
            index += 1


def statements_of(text: str) -> Iterator[Statement]:
    """All logical lines of ``text``, in order, blank ones and lone comments left out."""
    position = 0
    while position < len(text):
        start = position
        while start < len(text) and text[start].isspace():
            start += 1
        line = text.rfind("\n", position, start) + 1 or position
        if text.startswith((">>> ", "... "), start):
            start += 4
            while start < len(text) and text[start] in " \t":
                start += 1
        indent = start - line
        end = _logical_end(text, start)
        if start < end and text[start] != "#":
            yield Statement(start, end, indent)
        position = max(end, start + 1)


def _logical_end(text: str, start: int) -> int:
    """Offset of the line break (or end of text) that ends the logical line from ``start``."""
    depth, index = 0, start
    while index < len(text):
        char = text[index]
        if char == "#":
            index = _line_end(text, index)
        elif char in "'\"":
            index = _behind_string(text, index)
        elif char == "\\":
            index += 3 if text.startswith("\\\r\n", index) else 2
        elif char == "\n":
            if depth <= 0 or _starts_import(text, index + 1):
                return index
            index += 1
        else:
            depth += (char in _OPENING) - (char in _CLOSING)
            index += 1
    return len(text)


def _starts_import(text: str, start: int) -> bool:
    """True where the line from ``start`` can only be an import, whatever is open before it."""
    words = text[start : _line_end(text, start)].split(None, 3)
    if len(words) < 2:
        return False
    return words[0] == "import" or (len(words) > 2 and words[0] == "from" and words[2] == "import")


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _behind_string(text: str, start: int) -> int:
    """Offset behind the string literal at ``start``: its line's end where it isn't closed."""
    mark = text[start] * 3
    if text.startswith(mark, start):
        end = text.find(mark, start + 3)
        while end > 0 and text[end - 1] == "\\":
            end = text.find(mark, end + 1)
        return len(text) if end < 0 else end + 3
    index = start + 1
    while index < len(text) and text[index] != "\n":
        if text[index] == text[start]:
            return index + 1
        index += 2 if text[index] == "\\" else 1
    return min(index, len(text))
