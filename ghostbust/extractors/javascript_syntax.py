"""Reads one piece of JavaScript or TypeScript: what it imports, and where nothing is code.

Places are bytes of the piece in UTF-8. The tree is walked by a cursor, since trees can be deep,
and queries take time that is quadratic in their depth.

In code that isn't valid a grammar may try so many readings that its time grows with the square of
the length or worse, and its lexer may look for an end again and again. So each parse has a budget:
steps of the parser, and bytes given to the lexer. Both are counted, so that the same text is read
in the same way on every machine. What grows inside of single steps can't be counted: for that
there is a limit of processor time, many times what valid code takes. Where a grammar takes more
than its budget, the syntax is empty and says so.
"""

from __future__ import annotations

import re
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from ghostbust.extractors.interface import give_up, word_set

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Point, Tree

LONGEST = 1_048_576
"""bytes of a text that is parsed; the tree takes some 240 times as much memory"""
_LONGEST_FOR_MORE_GRAMMARS = 200_000
_LOADERS = {
    "require": word_set("module window globalThis global self remote"),
    "resolve": word_set("require import.meta"),
    "requireActual": word_set("jest"),
    "importActual": word_set("vi vitest"),
}
_STATEMENTS = word_set("import_statement export_statement")
_TYPES = word_set("type_annotation type_alias_declaration interface_declaration type_arguments")
_OPAQUE = word_set("comment template_string regex jsx_text")


@dataclass(frozen=True, slots=True)
class Literal:
    """A string literal that is written as its value is: no escapes, no substitutions."""

    start: int
    """offset behind its opening quote"""
    end: int
    """offset of its closing quote"""


@dataclass(frozen=True, slots=True)
class Import:
    """One module specifier in an import, an export, or a call that loads a module."""

    source: Literal
    types_only: bool
    optional: bool
    """True where the code still runs if the module isn't there"""
    bare: bool
    """True for a call and for ``import "x"``, which other languages write in the same way"""


class Ranges:
    """A set of places, to ask whether one lies in any of them. Added in order of their starts."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Adds the places from ``start`` on, up to but without ``end``."""
        if self._ends and start < self._ends[-1]:
            self._ends[-1] = max(end, self._ends[-1])
        else:
            self._starts.append(start)
            self._ends.append(end)

    def __contains__(self, place: int) -> bool:
        index = bisect_right(self._starts, place) - 1
        return index >= 0 and place < self._ends[index]


@dataclass(slots=True)
class Syntax:
    """What a piece of code holds that matters for packages."""

    data: bytes
    imports: list[Import] = field(default_factory=list)
    lists: list[list[Literal | None]] = field(default_factory=list)
    """rows of texts as in an argument list; None for an element that isn't a plain literal"""
    opaque: Ranges = field(default_factory=Ranges)
    """comments, template texts, regular expressions, texts in JSX"""
    guarded: Ranges = field(default_factory=Ranges)
    """``try`` statements with a ``catch``"""
    types: Ranges = field(default_factory=Ranges)
    """what only type checkers read"""
    caught: set[int] = field(default_factory=set)
    """starts of the calls of ``import`` that a ``.catch`` follows"""
    awaited: int = -1
    """end of the last ``export import x = require``; -1 for none"""
    broken: int = 0
    """bytes that the grammar couldn't place, at least 1 where it has errors; 0 for valid code"""

    @property
    def given_up(self) -> bool:
        """True where the grammar took more than its budget, so that nothing was found."""
        return self.broken == sys.maxsize


def read(data: bytes) -> Syntax:
    """The syntax of code by the grammar that understands most of it. Linear in its length.

    A long text that isn't valid TSX is read by that grammar all the same, since each further
    one takes as long again. It is noted as unread where no grammar gets through.
    """
    best = read_as(data, Grammar.TSX)
    if best.broken and len(data) <= _LONGEST_FOR_MORE_GRAMMARS:
        for grammar in (Grammar.JAVASCRIPT, Grammar.TYPESCRIPT):
            other = read_as(data, grammar)
            best = other if other.broken < best.broken else best
    if best.given_up:
        is_long = len(data) > LONGEST
        give_up(
            f"JavaScript of more than {LONGEST:,} bytes"
            if is_long
            else "JavaScript that takes the parser too much work"
        )
    return best


def read_as(data: bytes, grammar: Grammar) -> Syntax:
    """The syntax of code by one grammar."""
    tree = parse(data, grammar)
    if tree is None:
        return Syntax(data, broken=sys.maxsize)
    syntax = Syntax(data)
    for node in _nodes(tree):
        kind = node.type
        if kind == "call_expression":
            _add_call(syntax, node)
        elif kind in _STATEMENTS:
            _add_statement(syntax, node)
        elif kind == "import_alias":
            _await_source(syntax, node)
        elif kind == "parenthesized_expression":
            _add_awaited(syntax, node)
        elif kind in _OPAQUE:
            syntax.opaque.add(node.start_byte, node.end_byte)
        elif kind in _TYPES:
            syntax.types.add(node.start_byte, node.end_byte)
        elif kind == "try_statement" and node.child_by_field_name("handler") is not None:
            syntax.guarded.add(node.start_byte, node.end_byte)
        elif kind in ("array", "arguments"):
            _add_list(syntax, node)
        elif kind == "ERROR":
            syntax.broken += node.end_byte - node.start_byte
    syntax.broken += tree.root_node.has_error
    return syntax


def _nodes(tree: Tree) -> Iterator[Node]:
    """All nodes in the order of the text, each in front of those below it."""
    cursor = tree.walk()
    while True:
        node = cursor.node
        if node is not None:
            yield node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _add_statement(syntax: Syntax, node: Node) -> None:
    """Adds ``import … from "x"``, ``export … from "x"``, ``import x = require("x")``."""
    clauses = [child for child in node.named_children if child.type == "import_require_clause"]
    source = (clauses[0] if clauses else node).child_by_field_name("source")
    literal = _literal(source)
    if literal is not None:
        if source is not None and _is_of_two(syntax, node, source):
            return
        bare = node.children[1:2] == [source]
        syntax.imports.append(Import(literal, _is_of_types(node), optional=False, bare=bare))


def _await_source(syntax: Syntax, alias: Node) -> None:
    """Notes ``export import x = require``, which the grammar cuts off from its ``("x")``."""
    if any(_text(syntax, part) == "require" for part in alias.named_children[-1:]):
        syntax.awaited = alias.end_byte


def _add_awaited(syntax: Syntax, brackets: Node) -> None:
    """Adds the ``("x")`` of ``export import x = require("x")``."""
    literal = _literal(next(iter(brackets.named_children), None))
    if brackets.start_byte == syntax.awaited and literal is not None:
        syntax.imports.append(Import(literal, types_only=False, optional=False, bare=False))


def _is_of_two(syntax: Syntax, statement: Node, source: Node) -> bool:
    """True where the parser took a text from further down for the source.

    ``import pandas as pd`` is Python, whatever the next line quotes.
    """
    if statement.start_point.row == source.start_point.row:
        return False
    parts = statement.children
    faults = [part for part in parts if part.type == "ERROR"]
    lasts = [part.children[-1] for part in faults[-1:] if part.children]
    is_from = any(part.type == "from" for part in parts)
    is_from |= any(_text(syntax, last) == "from" for last in lasts)
    return bool(faults) and not is_from


def _add_call(syntax: Syntax, node: Node) -> None:
    """Adds ``import("x")``, ``require("x")`` and the like."""
    function, arguments = (
        node.child_by_field_name("function"),
        node.child_by_field_name("arguments"),
    )
    if function is None or arguments is None:
        return
    if function.type == "member_expression":
        _note_catch(syntax, function)
    if not _loads(syntax, function) or any(child.type == "ERROR" for child in node.children):
        return
    first = (child for child in arguments.named_children if child.type != "comment")
    literal = _literal(next(first, None))
    if literal is not None:
        start = node.start_byte
        optional = start in syntax.guarded or start in syntax.caught
        syntax.imports.append(Import(literal, start in syntax.types, optional, bare=True))


def _loads(syntax: Syntax, function: Node) -> bool:
    """True for a function that loads the module which its first argument names."""
    if function.type != "member_expression":
        return function.type == "import" or (
            function.type == "identifier" and _text(syntax, function) == "require"
        )
    receiver = function.child_by_field_name("object")
    method = function.child_by_field_name("property")
    if receiver is None or method is None:
        return False
    is_plain = receiver.type in ("identifier", "meta_property")
    return is_plain and _text(syntax, receiver) in _LOADERS.get(_text(syntax, method), ())


def _note_catch(syntax: Syntax, function: Node) -> None:
    """Notes the call of ``import`` in ``import("x").catch`` or ``import("x").then(…).catch``."""
    method = function.child_by_field_name("property")
    call = function.child_by_field_name("object")
    if method is None or call is None or _text(syntax, method) != "catch":
        return
    inner = call.child_by_field_name("function")
    if inner is not None and inner.type == "member_expression":
        call = inner.child_by_field_name("object")
    if call is not None:
        syntax.caught.add(call.start_byte)


def _add_list(syntax: Syntax, node: Node) -> None:
    """Adds ``["npm", "install", "x"]``, and ``"npm", ["install", "x"]`` in a call."""
    row = [child for child in node.named_children if child.type != "comment"]
    if not row or row[0].type != "string":
        return
    if node.type == "arguments":
        inner = row[1].named_children if len(row) > 1 and row[1].type == "array" else []
        row = [row[0], *(child for child in inner if child.type != "comment")]
    if len(row) > 1:
        syntax.lists.append([_literal(element) for element in row])


def _is_of_types(statement: Node) -> bool:
    """True for ``import type``, ``export type``, and where each name in the braces is a type."""
    if any(_begins_as_type(part) for part in statement.children if part.type in ("type", "ERROR")):
        return True  # the grammar knows no `export type *`, and calls its `type` an error
    for clause in statement.named_children:
        parts = clause.named_children if clause.type == "import_clause" else [clause]
        if len(parts) == 1 and parts[0].type in ("named_imports", "export_clause"):
            names = [name for name in parts[0].named_children if name.type != "comment"]
            return bool(names) and all(_begins_as_type(name) for name in names)
    return False


def _literal(node: Node | None) -> Literal | None:
    """A string, or a template without substitutions; None for anything else."""
    if node is None or node.type not in ("string", "template_string"):
        return None
    parts = node.named_children
    if len(parts) != 1 or parts[0].type != "string_fragment":
        return None
    return Literal(parts[0].start_byte, parts[0].end_byte)


def _text(syntax: Syntax, node: Node) -> str:
    return syntax.data[node.start_byte : node.end_byte].decode("utf-8", "ignore")


def _begins_as_type(name: Node) -> bool:
    """True for ``type``, and for ``type X`` in the braces of an import or export."""
    return name.type == "type" or any(child.type == "type" for child in name.children[:1])


# The tree-sitter grammars, loaded at their first use

_MOST_OPEN = 100
_MOST_NESTED = 200
"""assignments and arrows, or ``<`` that no tag closes, between two of the marks that end an
expression or a part of it"""
_ASSIGNING, _ENDING = re.compile(rb"=>?(?=[\s\w$(\[])"), re.compile(rb"[;,)}\]]")
_CLOSING_TAG = re.compile(rb"</[\w>]")
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
    """One way to read the text. TSX reads JavaScript and JSX as well; Rust is its own language."""

    TSX = "tsx"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    RUST = "rust"


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
    """True for a text with very many assignments, arrows or ``<type>`` in a row that nothing ends.

    Each is nested in the one before; at the end of the text the parser recovers from all of them
    in a single step, which takes the square of their number.
    """
    return any(
        len(_ASSIGNING.findall(run)) > _MOST_NESTED
        or run.count(b"<") - 2 * len(_CLOSING_TAG.findall(run)) > _MOST_NESTED
        for run in _ENDING.split(data)
    )


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

    if grammar is Grammar.RUST:
        import tree_sitter_rust

        return Language(tree_sitter_rust.language())
    if grammar is Grammar.JAVASCRIPT:
        import tree_sitter_javascript

        return Language(tree_sitter_javascript.language())
    import tree_sitter_typescript

    if grammar is Grammar.TSX:
        return Language(tree_sitter_typescript.language_tsx())
    return Language(tree_sitter_typescript.language_typescript())


_BLOCK = 256


class ByteOffsets:
    """A text as UTF-8, and the way back. A lone surrogate becomes ``?``, still one code point."""

    def __init__(self, text: str) -> None:
        self.data = text.encode("utf-8", "replace")
        """the text in UTF-8"""
        self._ascii = len(self.data) == len(text)
        self._starts = [0]
        if not self._ascii:
            for end in range(_BLOCK, len(text) + 1, _BLOCK):
                block = text[end - _BLOCK : end]
                self._starts.append(self._starts[-1] + len(block.encode("utf-8", "replace")))

    def code_point(self, offset: int) -> int:
        """How many code points stand in front of a byte; constant time."""
        if self._ascii:
            return offset
        block = bisect_right(self._starts, offset) - 1
        piece = self.data[self._starts[block] : offset]
        return block * _BLOCK + len(piece.decode("utf-8", "ignore"))

    def byte(self, code_point: int) -> int:
        """The place in the bytes of a code point of the text; constant time."""
        if self._ascii:
            return code_point
        block, rest = divmod(code_point, _BLOCK)
        piece = self.data[self._starts[block] : self._starts[block] + 4 * rest]
        return self._starts[block] + len(piece.decode("utf-8", "ignore")[:rest].encode())
