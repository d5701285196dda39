"""The tree-sitter grammars of JavaScript and TypeScript, loaded at their first use.

In code that isn't valid a grammar may try so many readings that its time grows with the square of
the length or worse, and its lexer may look for an end again and again. So each parse has a budget:
steps of the parser, and bytes given to the lexer. Both are counted, so that the same text is read
in the same way on every machine. What grows inside of single steps can't be counted: for that there
is a limit of processor time, many times what valid code takes.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Point, Tree


LONGEST = 1_048_576
"""bytes of a text that is parsed; the tree takes some 240 times as much memory"""
_MOST_OPEN = 100
_MOST_NESTED = 200
"""assignments and arrows between two of the marks that end an expression or a part of it"""
_ASSIGNING, _ENDING = re.compile(rb"=>?(?=[\s\w$(\[])"), re.compile(rb"[;,)}\]]")
_PIECE = 1024
"""bytes that the lexer is given at once"""
_FREE_STEPS, _BYTES_A_STEP = 32, 24
"""steps (of 100 operations) that any parse may take, and bytes for each further one: 3,900 files of
valid code took a step for 40 bytes at most, 5,600 texts that are no JavaScript at all for 15"""
_FREE_BYTES, _READS = 16_384, 8
"""bytes that the lexer may read in any text, and how often each byte; in those files 4 times"""
_FREE_S, _S_A_BYTE = 0.03, 3e-6
"""processor time that any parse may take, and for each byte; valid code takes some 0.4 us a byte"""
_STEPS_A_LOOK = 16
"""steps between two looks at the limits and the clock"""


class Grammar(StrEnum):
    """One way to read the text. TSX reads JavaScript and JSX as well."""

    TSX = "tsx"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"


def parse(data: bytes, grammar: Grammar) -> Tree | None:
    """The syntax tree of UTF-8 text; a tree with errors in it where the text isn't valid.

    None for a text that is longer than ``LONGEST``, nests too deeply or takes more than its budget.
    """
    from tree_sitter import Parser

    if len(data) > LONGEST or _is_deep(data):
        return None
    budget = _Budget(_without_open_comments(data))
    try:
        tree = Parser(_language(grammar)).parse(budget.read, progress_callback=budget.step)
    except ValueError:  # the callback has ended it
        return None
    return None if budget.spent else tree


def _is_deep(data: bytes) -> bool:
    """True for a text with very many assignments or arrows in a row that nothing ends.

    Each is nested in the one before; at the end of the text the parser recovers from all of them
    in a single step, which takes the square of their number.
    """
    return any(len(_ASSIGNING.findall(run)) > _MOST_NESTED for run in _ENDING.split(data))


class _Budget:
    """What one parse may take. Gives the text to the lexer, which is how its work is counted."""

    __slots__ = ("_bytes", "_data", "_end_s", "_steps", "spent")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0
        self._bytes = _FREE_BYTES + len(data) * _READS
        self._end_s = 0.0
        self.spent = False
        """True once the parse has to end"""

    def read(self, offset: int, _point: Point) -> bytes:
        """The next piece of the text; the end of it once the budget is spent."""
        piece = self._data[offset : offset + _PIECE]
        self._bytes -= len(piece)
        if self._bytes < 0:
            self.spent = True
            return b""
        return piece

    def step(self, _offset: int, _has_error: bool) -> bool:
        """Counts a step of the parser; True where it has to end."""
        self._steps += 1
        if self._steps % _STEPS_A_LOOK == 0:
            now = time.thread_time()
            self._end_s = self._end_s or now + _FREE_S + len(self._data) * _S_A_BYTE
            most = _FREE_STEPS + len(self._data) // _BYTES_A_STEP
            self.spent |= self._steps > most or now > self._end_s
        return self.spent


def _without_open_comments(data: bytes) -> bytes:
    """The text up to a comment that nothing closes, if very many could be that one.

    From each of them the lexer looks for its end in vain, up to the end of the text.
    """
    closed = data.rfind(b"*/")
    start = closed + 2 if closed >= 0 else 0
    return data[: data.find(b"/*", start)] if data.count(b"/*", start) > _MOST_OPEN else data


@cache
def _language(grammar: Grammar) -> Language:
    from tree_sitter import Language

    if grammar is Grammar.JAVASCRIPT:
        import tree_sitter_javascript

        return Language(tree_sitter_javascript.language())
    import tree_sitter_typescript

    if grammar is Grammar.TSX:
        return Language(tree_sitter_typescript.language_tsx())
    return Language(tree_sitter_typescript.language_typescript())
