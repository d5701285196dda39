"""Cuts the lines that import something out of text that isn't valid JavaScript as a whole.

Answers break off in the middle, forget a bracket, or hold code between sentences; a line that
begins with ``import`` can be read all the same. Each piece is then parsed by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_STARTS = ("import", "export")
_DECLARES = ("const ", "let ", "var ")
_CALLS = (
    "require(", "import(", ".resolve(", "requireActual(", "importActual(", "require '", 'require "',
    "require[", "require{",
)  # fmt: skip
_FAULTY = ("from ", "} from ", "Import ")
"""what a faulty import begins with; a whole one never does so"""
_QUOTES = "'\"`“”‘’"
_PROMPTS = ("> ", "... ")
_MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement, or one line with a call in it."""

    start: int
    end: int
    is_statement: bool
    """True where it begins as an import, an export or a declaration does"""


def pieces(text: str) -> Iterator[Piece]:
    """All places in a text, in order and apart, where a line may import something.

    A statement that begins a line goes on to the line that holds the quoted specifier.
    """
    start = 0
    while start < len(text):
        end = _line_end(text, start)
        first = _behind_prompt(text, start, end)
        line = text[first:end]
        if _begins(line, _STARTS) or (line.startswith(_DECLARES) and line.rstrip()[-1:] == "{"):
            statement_end = _statement_end(text, first, end)
            if statement_end is not None:
                yield Piece(first, statement_end, is_statement=True)
                end = statement_end
            elif line.startswith("import ") and " from " in line:  # its quotes are missing
                yield Piece(first, end, is_statement=False)
        elif _may_be_faulty(line):
            yield Piece(first, end, is_statement=False)
        elif any(call in line for call in _CALLS) and not line.startswith(("//", "*", "/*")):
            yield Piece(first, end, is_statement=line.startswith(_DECLARES))
        start = end + 1


def _may_be_faulty(line: str) -> bool:
    """True for ``from 'x' import a`` and ``const a from 'x'``."""
    is_import = line.startswith(_FAULTY) or (line.startswith(_DECLARES) and " from " in line)
    return is_import and any(quote in line for quote in _QUOTES)


def _statement_end(text: str, start: int, end: int) -> int | None:
    """End of the line in which the statement from ``start`` has its quote; None for none.

    Nothing is quoted in front of the next statement, a blank line, or a line of another kind.
    """
    for _ in range(_MOST_LINES):
        line = text[start:end]
        if any(quote in line for quote in _QUOTES):
            return end
        if end >= len(text) or not ("{" in line or _continues(line)):
            return None
        start, end = end + 1, _line_end(text, end + 1)
        if not text[start:end].strip() or text[start:end].lstrip().startswith(
            (*_STARTS, *_DECLARES)
        ):
            return None
    return None


def _continues(line: str) -> bool:
    """True for a line inside the braces of an import, or one that ends in the middle of it."""
    words = line.split("//")[0].split()
    return bool(words) and (
        words[-1].endswith((",", "{")) or words[-1] in ("import", "from", "type") or len(words) <= 3
    )


def _begins(line: str, words: tuple[str, ...]) -> bool:
    """True where a line begins with one of the words and not just with a longer word."""
    for word in words:
        if line.startswith(word):
            return line[len(word) : len(word) + 1] in ("", " ", "\t", "{", "*", "'", '"', "(", "\r")
    return False


def _behind_prompt(text: str, start: int, end: int) -> int:
    """Offset of the first character of a line that is no white space or prompt."""
    line = text[start:end]
    first = start + len(line) - len(line.lstrip())
    for prompt in _PROMPTS:
        if text.startswith(prompt, first, end):
            return first + len(prompt)
    return first


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
