"""Imports and install commands in Python code, by its syntax tree.

Code that doesn't parse as a whole is cut into logical lines, which are parsed alone: answers break
off in the middle, mix in shell lines or forget a bracket, and their imports are readable all the
same. The cutter knows strings, comments, brackets, line continuation and the ``>>>`` of a console
session, and starts anew at each line that begins with an import, which can't stand inside an open
bracket. Notebook lines (``!pip install x``, ``%pip install x``, ``%%bash``) are read as shell.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ghostbust.extractors.installers import installs
from ghostbust.extractors.interface import (
    Placed,
    blanked,
    give_up,
    moved,
    placed_lines,
    plain,
    word_set,
)
from ghostbust.extractors.javascript_syntax import ByteOffsets
from ghostbust.extractors.names import canonical
from ghostbust.extractors.shell import prose_refs, shell_refs
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind, known_modules

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError"})
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".pdf", ".svg", ".bmp", ".tiff", ".webp", ".xwd")
_LOADERS = ("import_module", "__import__")
_NO_FLAGS: frozenset[Flag] = frozenset()
_BETWEEN = tuple("\\\r\n\t\f ")
"""what may stand between ``from`` and the module"""
_LINE_END = re.compile(r"\r\n?|\n")
_LONGEST_MODULE = 1000
"""characters of a dotted module that is looked up together with each name imported from it"""


def python_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT and INSTALL refs of Python code: imports, dynamic imports of a literal name, commands.

    Relative imports and names made up at run time are no refs.
    """
    tree = parse(text)
    if tree is not None:
        yield from _Tree(text, offset).refs(tree, _NO_FLAGS)
        yield from prose_refs(_texts_only(text), offset)
        return
    code, shell_lines = _without_notebook_lines(text)
    tree = parse(code)
    if tree is not None:
        yield from _Tree(code, offset).refs(tree, _NO_FLAGS)
        code = _texts_only(code)
    else:
        for piece in _pieces(code):
            yield from _Tree(piece.source, offset + piece.start).refs(piece.tree, piece.flags)
    for start, end in shell_lines:
        yield from shell_refs(text[start:end], offset + start)
    yield from prose_refs(_without_commented_magics(code), offset)


def python_line_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT refs of imports that begin a line of a text that is mostly no Python."""
    if not has_imports(text):
        return
    for piece in _pieces(text):
        begins = text[piece.start - 1 : piece.start] in ("", "\n")
        if begins and any(map(_is_plain_import, piece.tree.body)):
            yield from _Tree(piece.source, offset + piece.start).refs(piece.tree, _NO_FLAGS)


def has_imports(text: str) -> bool:
    """True where some line of ``text`` is plainly a Python import, so that it isn't just prose."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith(("import ", "from ")) and not stripped.endswith(";"):
            tree = parse(stripped) or (parse(stripped + "_)") if stripped.endswith("(") else None)
            if tree is not None and _is_plain_import(tree.body[0]):
                return True
    return False


def _is_plain_import(node: ast.stmt) -> bool:
    """True for an import, unless it is ImageMagick's ``import shot.png``."""
    if isinstance(node, ast.Import):
        return not any(alias.name.endswith(_IMAGES) for alias in node.names)
    return isinstance(node, ast.ImportFrom)


def _without_notebook_lines(text: str) -> tuple[str, list[tuple[int, int]]]:
    """(the code with notebook lines overwritten by ``0``, same length; where they stood)."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    in_shell_cell = continues = False
    for position, line in placed_lines(text):
        stripped = line.lstrip()
        in_shell_cell |= stripped.startswith(("%%bash", "%%sh", "%%cmd", "%%script"))
        if in_shell_cell or continues or stripped.startswith(("!", "%")):
            body = line.rstrip()
            lead = len(line) - len(stripped)
            if continues and spans:
                spans[-1] = (spans[-1][0], position + len(body))
            elif body.strip():
                spans.append((position + lead, position + len(body)))
            continues = body.endswith("\\")
            blank = " " * lead + ("0" + " " * max(len(body) - lead - 1, 0) if body.strip() else "")
            pieces.append(blank + line[len(blank) :])
        else:
            pieces.append(line)
    return "".join(pieces), spans


def _texts_only(code: str) -> str:
    """Code that parses, same length, without what stands outside of its strings and comments."""
    pieces, position = [], 0
    for found in _TEXTS.finditer(code):
        pieces += [blanked(code[position : found.start()]), found[0]]
        position = found.end()
    return _without_commented_magics("".join([*pieces, blanked(code[position:])]))


def _without_commented_magics(text: str) -> str:
    """The code, same length, without comments such as ``# !pip install x``: that is not run."""
    if "#" not in text:
        return text
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        comment = line.lstrip()
        if comment.startswith("#") and comment.lstrip("# \t").startswith(("!", "%")):
            lines[number] = blanked(line)
    return "".join(lines)


class _Tree:
    """Turns the nodes of one tree into refs. Columns of a tree count UTF-8 bytes."""

    def __init__(self, source: str, offset: int) -> None:
        """``offset``: where ``source`` stands in the answer."""
        self.source, self.offset = source, offset
        self.places = ByteOffsets(source)
        self.line_starts = [0, *(end.end() for end in _LINE_END.finditer(source))]

    def refs(self, tree: ast.AST, flags: frozenset[Flag]) -> Iterator[PackageRef]:
        """Refs of a tree and all below it. Walks without recursion: trees can be deep."""
        pending = [(tree, flags)]
        while pending:
            node, flags = pending.pop()
            yield from self._of_node(node, flags)
            for handler in node.handlers if isinstance(node, ast.Try) else ():
                caught = (
                    handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
                )
                if any(_name_of(name) in _IMPORT_ERRORS for name in caught):
                    flags |= {Flag.OPTIONAL}
            guarded: set[ast.AST] = set()
            if isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
                guarded.update(node.body)
            pending += (
                (child, flags | {Flag.TYPE_CHECKING} if child in guarded else flags)
                for child in ast.iter_child_nodes(node)
            )

    def _of_node(self, node: ast.AST, flags: frozenset[Flag]) -> Iterator[PackageRef]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from self._import(self._index(alias), alias.name, flags)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from self._import_from(node, node.module, flags)
        elif isinstance(node, ast.Call) and _name_of(node.func) in _LOADERS:
            named = (keyword.value for keyword in node.keywords if keyword.arg == "name")
            name = next(iter(node.args), None) or next(named, None)
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield from self._import(self._literal(name, name.value), name.value, flags)
        elif isinstance(node, (ast.List, ast.Tuple)):  # ["python", "-m", "pip", "install", "x"]
            for ref in installs([self._word(element) for element in node.elts], prose=False):
                yield moved(ref, self.offset)

    def _import_from(
        self, node: ast.ImportFrom, module: str, flags: frozenset[Flag]
    ) -> Iterator[PackageRef]:
        """A ref at the module, and one at each further name that another distribution provides."""
        start = self._index(node) + len("from")
        while self.source[start : start + 1] in _BETWEEN:
            start += 1
        of_module = distribution_of(module) or None
        seen: set[str | None] = set()
        for alias in node.names if len(module) <= _LONGEST_MODULE else node.names[:1]:
            dotted = f"{module}.{alias.name}"
            owner = distribution_of(dotted) or None
            if owner not in seen:
                index = self._index(alias) if seen else start
                is_longer = bool(seen) or owner != of_module
                yield from self._import(index, dotted if is_longer else module, flags)
                seen.add(owner)

    def _import(self, index: int, dotted: str, flags: frozenset[Flag]) -> Iterator[PackageRef]:
        """The ref of a module named at ``index`` of the source; none where it isn't there."""
        end = index
        while 0 <= end < len(self.source) and f"_{self.source[end]}".isidentifier():
            end += 1
        raw = self.source[index:end]
        if not raw.isidentifier() or dotted.startswith("."):
            return
        start = self.offset + index
        builtin = is_stdlib(dotted)
        owner = distribution_of(dotted)
        if owner is None:  # a guess that only a registry can confirm
            owner = canonical(Ecosystem.PYPI, dotted.partition(".")[0])
        yield PackageRef(
            Ecosystem.PYPI, RefKind.IMPORT, raw, start, start + len(raw),
            name=raw if builtin else owner or None,
            import_name=dotted, builtin=builtin, flags=flags,
        )  # fmt: skip

    def _word(self, element: ast.expr) -> Placed:
        """What a literal says, as a word of a command; a word without a place for all else."""
        value = element.value if isinstance(element, ast.Constant) else None
        index = self._literal(element, value) if isinstance(value, str) else -1
        if isinstance(value, str) and index >= 0:
            return plain(self.source, index, index + len(value))
        return Placed("", ())

    def _literal(self, node: ast.expr, value: str) -> int:
        """Offset of a string literal's text; -1 where it isn't written as its value is."""
        start = self._index(node)
        return self.source.find(value, start, start + len(value) + 5) if value else -1

    def _index(self, node: ast.stmt | ast.expr | ast.alias) -> int:
        """Offset of a node in the source, in code points."""
        start = self.line_starts[min(node.lineno, len(self.line_starts)) - 1]
        return self.places.code_point(self.places.byte(start) + node.col_offset)


def _name_of(node: ast.AST | None) -> str:
    """Last part of a plain or dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# Code that doesn't parse as a whole

LONGEST = 1_048_576
"""characters of a text that is parsed; the tree takes some 100 times as much memory"""
_MOST_PARTS = 1000
_DOTTED = re.compile(r"\w+(?:[\s\\]*\.[\s\\]*\w+)*")
_CALLS = ("import_module(", "__import__(")
# A comment or a string literal; one that nothing closes ends with its line, or with the text.
_TEXT = (
    r"(?:#[^\n]*|\"{3}(?:.*?(?<!\\)\"{3}|.*)|'{3}(?:.*?(?<!\\)'{3}|.*)"
    r"|\"(?:[^\"\\\n]|\\.?)*\"?|'(?:[^'\\\n]|\\.?)*'?)"
)
_TEXTS = re.compile(_TEXT, re.S)
_LOADED = re.compile(rf"\w+\(\s*(?!#){_TEXT}", re.S)
_INNER = re.compile(
    rf"{_TEXT}|(?P<mark>[:;])(?: {{0,12}}(?P<import>(?=import |from )))?"
    r"|(?<!\w)(?P<call>import_module\(|__import__\()",
    re.S,
)
_STEP = re.compile(rf"{_TEXT}|\\(?:\r\n|.)?|[\n(\[{{)\]}}]", re.S)
_LEAD = re.compile(r"(?P<indent>\s*)(?:(?:>>>|\.\.\.) [ \t]*)?")
_IMPORT_LINE = re.compile(r"[^\S\n]*(?:import[^\S\n]+\S|from[^\S\n]+\S+[^\S\n]+import(?!\S))")
"""what can only be an import, whatever is open in front of it"""


@dataclass(frozen=True, slots=True)
class _Statement:
    """One logical line of code, comments and trailing white space included."""

    start: int
    """offset of its first character that is no white space or prompt"""
    end: int
    indent: int
    """columns in front of it"""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of code that parses by itself, and where it starts in the text."""

    tree: ast.Module
    source: str
    start: int
    flags: frozenset[Flag]
    """what the blocks around it say"""


def parse(source: str) -> ast.Module | None:
    """The syntax tree of ``source``, or None where it isn't valid Python. Never warns.

    None, which is noted as unread, for what is longer than ``LONGEST``, and for a dotted name of
    so many parts that Python, which joins them one by one, takes quadratic time.
    """
    if len(source) > LONGEST:
        give_up(f"Python of more than {LONGEST:,} characters")
        return None
    if source.count(".") > _MOST_PARTS and any(
        name[0].count(".") > _MOST_PARTS for name in _DOTTED.finditer(source)
    ):
        give_up(f"Python with a name of more than {_MOST_PARTS:,} parts")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _pieces(text: str) -> Iterator[_Piece]:
    """The statements of ``text`` that import something and parse alone, cut-off ends mended."""
    statements = list(_statements(text))
    flags = _flags_around(text, statements)
    for number, statement in enumerate(statements):
        source = text[statement.start : statement.end]
        if "import" not in source and not source.startswith("from "):
            continue
        for start, end in _candidates(source):
            piece = source[start:end]
            whole = parse(piece)
            is_last = number == len(statements) - 1 and end == len(source)
            tree = whole or _mended(piece, is_last=is_last)
            if tree is not None:
                yield _Piece(tree, piece, statement.start + start, flags[number])
            if whole is not None and end - start == len(source):
                break


def _candidates(source: str) -> Iterator[tuple[int, int]]:
    """Which parts of a logical line to try: all of it, then what imports within it.

    That is each import behind the colon or semicolon of a one-line block, and each call that
    imports, up to the next of them or a semicolon; none in strings and comments.
    """
    yield 0, len(source)
    starts: list[int] = []
    ends = [len(source)]
    for found in _INNER.finditer(source):
        starts += [found.start(name) for name in ("import", "call") if found[name] is not None]
        ends += [found.start()] if found["mark"] == ";" else []
    ends = sorted([*ends, *starts])
    for start in starts:
        yield start, ends[bisect_right(ends, start)]


def _mended(source: str, *, is_last: bool) -> ast.Module | None:
    """A tree of what an import that doesn't parse says for certain, or None.

    ``from a.b import (c,`` says ``a.b``, and ``import_module("a", …`` says ``a``. The last
    statement of the text may also end in the middle of ``from a.b`` or ``import a,``.
    """
    if source.startswith(_CALLS):
        loaded = _LOADED.match(source)
        return parse(loaded[0] + ")") if loaded else None
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


def _flags_around(text: str, statements: list[_Statement]) -> list[frozenset[Flag]]:
    """For each statement the flags of the blocks that it stands in, by indentation."""
    parents = [-1] * len(statements)
    behind = [len(statements)] * len(statements)  # the first statement behind a block
    open_blocks: list[int] = []
    for number, statement in enumerate(statements):
        while open_blocks and statements[open_blocks[-1]].indent >= statement.indent:
            behind[open_blocks.pop()] = number
        parents[number] = open_blocks[-1] if open_blocks else -1
        open_blocks.append(number)
    found: list[frozenset[Flag]] = []
    for at in parents:
        if at < 0:
            found.append(_NO_FLAGS)
            continue
        header = handler = _head(text, statements[at])
        if header.startswith("try"):
            after = statements[behind[at]] if behind[at] < len(statements) else None
            is_beside = after is not None and after.indent == statements[at].indent
            handler = _head(text, after) if after is not None and is_beside else ""
        own = set()
        if handler.startswith("except") and any(error in handler for error in _IMPORT_ERRORS):
            own.add(Flag.OPTIONAL)
        if header.startswith("if") and "TYPE_CHECKING" in header:
            own.add(Flag.TYPE_CHECKING)
        found.append(found[at] | own)
    return found


def _head(text: str, statement: _Statement) -> str:
    return text[statement.start : min(statement.end, statement.start + 200)]


def _statements(text: str) -> Iterator[_Statement]:
    """All logical lines of ``text``, in order, blank ones and lone comments left out."""
    position = 0
    while (lead := _LEAD.match(text, position)) is not None and position < len(text):
        line = text.rfind("\n", position, lead.end("indent")) + 1 or position
        start = lead.end()
        end = _logical_end(text, start)
        if start < end and text[start] != "#":
            yield _Statement(start, end, start - line)
        position = max(end, start + 1)


def _logical_end(text: str, start: int) -> int:
    """Offset of the line break (or end of text) that ends the logical line from ``start``."""
    depth = 0
    for step in _STEP.finditer(text, start):
        char = step[0]
        if char == "\n" and (depth <= 0 or _IMPORT_LINE.match(text, step.end())):
            return step.start()
        depth += (char in "([{") - (char in ")]}")
    return len(text)


# Which modules Python itself provides, and which distribution provides another one, from the tables
# of ``known_modules``. They hold the cases in which the two names differ, namespaces that many
# distributions share, and modules that none provides since they come with a program or a platform.
# Any other module usually has a distribution of its own name.

_REMOVED = word_set(
    # gone from the standard library by 3.13; models learnt from code that still has them
    "aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils dummy_threading "
    "formatter imghdr imp lib2to3 macpath mailcap msilib nis nntplib ossaudiodev parser pipes "
    "smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib"
)
_PYTHON_2 = word_set(
    "BaseHTTPServer ConfigParser Cookie HTMLParser Queue SimpleHTTPServer SocketServer StringIO "
    "Tkinter cPickle cStringIO commands cookielib htmlentitydefs httplib md5 sets sha thread "
    "tkFileDialog tkMessageBox urllib2 urlparse xmlrpclib __builtin__"
)
_MODULES = (
    sys.stdlib_module_names | _REMOVED | _PYTHON_2 | {"__main__", "compression", "annotationlib"}
)


def is_stdlib(module: str) -> bool:
    """True where the top level of a dotted module belongs to Python, now or in a past version.

    Case counts: ``Queue`` was a module of Python 2, ``JSON`` never was one.
    """
    return module.partition(".")[0] in _MODULES


def distribution_of(dotted: str) -> str | None:
    """Canonical distribution name of a dotted module by its longest prefix in the table.

    Empty where that prefix belongs to many distributions or to none (``google.cloud``,
    ``kaggle_secrets``), None where the table has no entry.
    """
    parts = dotted.split(".", _deepest())
    table = known_modules()
    prefixes = (".".join(parts[:count]) for count in range(min(len(parts), _deepest()), 0, -1))
    return next((table[prefix] for prefix in prefixes if prefix in table), None)


@cache
def _deepest() -> int:
    """Parts of the longest name in the table: no longer prefix can stand there."""
    return max(name.count(".") for name in known_modules()) + 1
