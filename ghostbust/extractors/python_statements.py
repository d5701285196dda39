"""Cuts Python code that doesn't parse as a whole into logical lines, and parses those alone.

Answers break off in the middle, mix in shell lines or forget a bracket; their imports are
readable all the same. The cutter knows strings, comments, brackets, line continuation and
the ``>>>`` of a console session, and starts anew at each line that begins with an import,
which can't stand inside an open bracket.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_OPENING, _CLOSING = "([{", ")]}"


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
    """The syntax tree of ``source``, or None where it isn't valid Python. Never warns."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def parsed_pieces(text: str) -> Iterator[ParsedPiece]:
    """The statements of ``text`` that import something and parse alone, cut-off ends mended."""
    statements = list(statements_of(text))
    for number, statement in enumerate(statements):
        source = text[statement.start : statement.end]
        if "import" not in source and not source.startswith("from "):
            continue
        is_last = number == len(statements) - 1
        for at in _import_offsets(source):
            tree = parse(source[at:]) or _mended(source[at:], is_last=is_last)
            if tree is not None:
                guards = tuple(_guards(text, statements, number))
                yield ParsedPiece(tree, source[at:], statement.start + at, guards)
                break


def _import_offsets(source: str) -> Iterator[int]:
    """Where in a logical line to try: at its start, and behind the colon of a one-line block."""
    yield 0
    for index, char in enumerate(source):
        if char in ":;":
            behind = source[index + 1 : index + 20]
            if behind.lstrip(" ").startswith(("import ", "from ")):
                yield index + 1 + len(behind) - len(behind.lstrip(" "))


def _mended(source: str, *, is_last: bool) -> ast.Module | None:
    """A tree of what an import that doesn't parse says for certain, or None.

    ``from a.b import (c,`` says ``a.b``. The last statement of the text may also end in the
    middle of ``from a.b`` or ``import a,``.
    """
    words = source.split(None, 3)
    cut = source.rstrip().rstrip(".,").rstrip()
    if len(words) >= 3 and words[0] == "from" and words[2] == "import":
        if len(words) > 3 and words[3][0] in "'\"{":
            return None  # JavaScript
        return parse(cut) or parse(cut + ")") or parse(f"from {words[1]} import _")
    if not is_last or "\n" in source.strip():
        return None
    if len(words) >= 2 and words[0] == "from":
        rest = words[2] if len(words) > 2 else ""
        return parse(f"from {words[1].rstrip('.')} import _") if "import".startswith(rest) else None
    if len(words) >= 2 and words[0] == "import":
        return parse(cut) or parse(cut.removesuffix(" as").removesuffix(" a"))
    return None


def _guards(text: str, statements: list[Statement], number: int) -> Iterator[str]:
    """Headers of the blocks that statement ``number`` stands in, by indentation."""
    indent = statements[number].indent
    for before in range(number - 1, -1, -1):
        if indent == 0:
            return
        if statements[before].indent >= indent:
            continue
        indent = statements[before].indent
        header = text[statements[before].start : statements[before].end]
        yield header
        if header.startswith("try"):
            for after in statements[number:]:
                handler = text[after.start : after.end]
                if after.indent <= indent:
                    if after.indent == indent and handler.startswith("except"):
                        yield handler
                    break


def statements_of(text: str) -> Iterator[Statement]:
    """All logical lines of ``text``, in order, blank ones and lone comments left out."""
    position = 0
    while position < len(text):
        start = position
        while start < len(text) and text[start].isspace():
            start += 1
        line = text.rfind("\n", position, start) + 1 or position
        indent = start - line
        if text.startswith((">>> ", "... "), start):
            start += 4
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
