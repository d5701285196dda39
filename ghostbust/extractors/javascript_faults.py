"""JavaScript that isn't valid: cuts out the lines that import something, and reads what they load.

Answers break off in the middle, forget a brace, a bracket, a quote or ``from``, or hold code
between sentences. People who read such code mend it and install the package all the same. `pieces`
cuts out the lines, each of which is then parsed by itself. Where that finds no import,
`loose_imports` reads the words that load something, and the text behind them: ``from 'x'``,
``require('x``, ``import { a } 'x'``. What is quoted elsewhere loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ghostbust.extractors.interface import line_end, word_set

_STARTS = ("import", "export")
_DECLARES = ("const ", "let ", "var ")
_CALLS = (
    "require(", "import(", ".resolve(", "requireActual(", "importActual(", "require '", 'require "',
    "require[", "require{",
)  # fmt: skip
_FAULTY = ("from ", "} from ", "Import ")
"""what a faulty import begins with; a whole one never does so"""

_PROMPTS = ("> ", "... ")
_MOST_LINES = 200


@dataclass(frozen=True, slots=True)
class LoadingStatement:
    """One statement, or one line with a call in it."""

    start: int
    end: int
    is_statement: bool
    """True where it begins as an import, an export or a declaration does"""


def pieces(text: str) -> Iterator[LoadingStatement]:
    """All places in a text, in order and apart, where a line may import something.

    A statement that begins a line extends to the line that holds the quoted specifier.
    """
    start = 0
    while start < len(text):
        end = line_end(text, start)
        first = _behind_prompt(text, start, end)
        line = text[first:end]
        if _begins(line, _STARTS) or (line.startswith(_DECLARES) and line.rstrip()[-1:] == "{"):
            statement_end = _statement_end(text, first, end)
            if statement_end is not None:
                yield LoadingStatement(first, statement_end, is_statement=True)
                end = statement_end
            elif line.startswith("import ") and " from " in line:  # its quotes are missing
                yield LoadingStatement(first, end, is_statement=False)
        elif _may_be_faulty(line):
            yield LoadingStatement(first, end, is_statement=False)
        elif any(call in line for call in _CALLS) and not line.startswith(("//", "*", "/*")):
            yield LoadingStatement(first, end, is_statement=line.startswith(_DECLARES))
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
        start, end = end + 1, line_end(text, end + 1)
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


_QUOTES = "'\"`“”‘’"
_TOKEN = re.compile(
    rf"[\w$]+|//[^\n]*|/\*.*?(?:\*/|\Z)|(?P<mark>[{_QUOTES}])(?:(?!(?P=mark))[^\n])*(?P=mark)|\S",
    re.S,
)
_PLAIN = re.compile(r"(?:import|export)\s*(?:type\s*)?[{*]|(?:const|let|var)\b")
_MODULE = re.compile(rf"[^\s{_QUOTES};,()<>{{}}\[\]]+")
_STATEMENT_END = re.compile(rf"[{_QUOTES}]?[ \t\r)\]}};,]*(?://[^\n]*)?(?=\n|\Z)")
_LOADING = word_set("from require import")
_IMPORTING = word_set("import Import export from")
_BINDING = word_set("const let var")


@dataclass(frozen=True, slots=True)
class LooseImport:
    """A module that a faulty statement loads."""

    start: int
    end: int
    """offset behind the specifier"""
    is_closed: bool
    """True where quotes stand around it"""
    is_call: bool
    is_plain: bool = False
    """True where only JavaScript begins so: ``import {`` and ``const x = require("x"``"""


def loose_imports(source: str) -> Iterator[LooseImport]:
    """The modules that a statement loads as far as its words say; none in its strings."""
    opening = previous = ""
    is_head = True  # nothing but names and braces so far
    is_plain = _PLAIN.match(source) is not None
    position = 0
    while (token := _TOKEN.search(source, position)) is not None:
        word, before, position = token[0], source[position : token.start()], token.end()
        if word.startswith(("//", "/*")):
            continue
        opening = opening or word
        found = None
        if word in _LOADING and previous != ".":
            may_load = word != "from" or (is_head and opening in _IMPORTING | _BINDING)
            found = _loaded(source, token, opening) if may_load else None
        elif word[0] in _QUOTES:
            is_beside = "\n" not in before and (previous in ("}", "*") or previous.isidentifier())
            if opening == "import" and is_head and is_beside:
                found = _quoted(source, token.start(), is_call=False)
            if found is None and len(word) == 1:
                return  # nothing closes it: the rest is a string
        elif not (word.isidentifier() or word in "{},*=:$"):
            is_head = False
        if found is not None:
            position = _behind_quotes(source, found.end)
            is_new = is_plain and found.is_closed and (opening in _IMPORTING or found.is_call)
            is_new = is_new and _STATEMENT_END.match(source, found.end) is not None
            yield LooseImport(found.start, found.end, found.is_closed, found.is_call, is_new)
        previous = word


def _loaded(source: str, word: re.Match[str], opening: str) -> LooseImport | None:
    """The module behind ``from``, ``require`` or ``import``."""
    brackets = {"require": "([{", "import": "("}.get(word[0], "(" if opening in _IMPORTING else "")
    start = _behind_space(source, word.end())
    has_bracket = source[start : start + 1] in tuple(brackets)
    if has_bracket:
        start = _behind_space(source, start + 1)
    is_call = has_bracket or word[0] == "require"
    if source[start : start + 1] in tuple(_QUOTES):
        return _quoted(source, start, is_call=is_call)
    module = _MODULE.match(source, start)
    if module is None or start == word.end() or not _STATEMENT_END.match(source, module.end()):
        return None
    is_quoted = source[module.end() : module.end() + 1] in tuple(_QUOTES)
    is_bare = word[0] == "from" and not has_bracket and _is_import(source, word.start(), module)
    if not (is_quoted or is_bare):
        return None
    return LooseImport(module.start(), module.end(), is_closed=False, is_call=is_call)


def _is_import(source: str, end: int, module: re.Match[str]) -> bool:
    """True where ``import x from y;`` lacks the quotes, and is no sentence."""
    opening, _, bound = source[:end].strip().partition(" ")
    is_ended = source.startswith(";", module.end()) and len(bound.split()) == 1
    return opening == "import" and (bound.lstrip()[:1] in ("{", "*") or is_ended)


def _quoted(source: str, start: int, *, is_call: bool) -> LooseImport | None:
    """The module behind the quote at ``start``; a quote that isn't closed ends the statement."""
    start = _behind_quotes(source, start)
    module = _MODULE.match(source, start)
    if module is None:
        return None
    is_closed = source[module.end() : module.end() + 1] in tuple(_QUOTES)
    if not is_closed and not _STATEMENT_END.match(source, module.end()):
        return None
    return LooseImport(module.start(), module.end(), is_closed, is_call)


def _behind_quotes(source: str, start: int) -> int:
    while source[start : start + 1] in tuple(_QUOTES):
        start += 1
    return start


def _behind_space(source: str, start: int) -> int:
    while source[start : start + 1].isspace():
        start += 1
    return start
