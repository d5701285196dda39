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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from ghostbust.extractors.installers import installs
from ghostbust.extractors.interface import (
    Placed,
    blanked,
    give_up,
    line_end,
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
        for piece in parsed_pieces(code):
            flags = _flags_of_headers(piece.guards)
            yield from _Tree(piece.source, offset + piece.start).refs(piece.tree, flags)
    for start, end in shell_lines:
        yield from shell_refs(text[start:end], offset + start)
    yield from prose_refs(_without_commented_magics(code), offset)


def python_line_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT refs of imports that begin a line of a text that is mostly no Python."""
    if not has_imports(text):
        return
    for piece in parsed_pieces(text):
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
    for start, end in texts_in(code):
        pieces += [blanked(code[position:start]), code[start:end]]
        position = end
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


def _flags_of_headers(headers: Iterable[str]) -> frozenset[Flag]:
    """Flags of a statement that stands in blocks with these headers."""
    flags = set()
    for header in headers:
        if header.startswith("except") and any(error in header for error in _IMPORT_ERRORS):
            flags.add(Flag.OPTIONAL)
        if header.startswith("if") and "TYPE_CHECKING" in header:
            flags.add(Flag.TYPE_CHECKING)
    return frozenset(flags)


@dataclass(slots=True)
class _Tree:
    """Turns the nodes of one tree into refs. Columns of a tree count UTF-8 bytes."""

    source: str
    offset: int
    """where ``source`` stands in the answer"""
    line_starts: list[int] = field(default_factory=list)
    places: ByteOffsets = field(init=False)

    def __post_init__(self) -> None:
        self.places = ByteOffsets(self.source)
        self.line_starts = [0]
        for index, char in enumerate(self.source):
            if char == "\n" or (char == "\r" and self.source[index + 1 : index + 2] != "\n"):
                self.line_starts.append(index + 1)

    def refs(self, tree: ast.AST, flags: frozenset[Flag]) -> Iterator[PackageRef]:
        """Refs of a tree and all below it. Walks without recursion: trees can be deep."""
        pending = [(tree, flags)]
        while pending:
            node, flags = pending.pop()
            yield from self._of_node(node, flags)
            pending.extend(_children(node, flags))

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
        elif isinstance(node, (ast.List, ast.Tuple)):
            yield from self._argument_list(node)

    def _import_from(
        self, node: ast.ImportFrom, module: str, flags: frozenset[Flag]
    ) -> Iterator[PackageRef]:
        """A ref at the module, and one at each further name that another distribution provides."""
        start = self._index(node) + len("from")
        while self.source[start : start + 1] in _BETWEEN:
            start += 1
        seen: set[str | None] = set()
        for alias in node.names if len(module) <= _LONGEST_MODULE else node.names[:1]:
            dotted = f"{module}.{alias.name}"
            owner = distribution_of(dotted)
            is_longer = owner != distribution_of(module)
            if seen and owner in seen:
                continue
            index = self._index(alias) if seen else start
            yield from self._import(index, dotted if is_longer or seen else module, flags)
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
        if owner is None and not is_namespace(dotted):  # a guess that only a registry can confirm
            owner = canonical(Ecosystem.PYPI, dotted.partition(".")[0])
        yield PackageRef(
            Ecosystem.PYPI, RefKind.IMPORT, raw, start, start + len(raw),
            name=raw if builtin else owner,
            import_name=dotted, builtin=builtin, flags=flags,
        )  # fmt: skip

    def _argument_list(self, node: ast.List | ast.Tuple) -> Iterator[PackageRef]:
        """Installs of a command given as a list: ``["python", "-m", "pip", "install", "x"]``."""
        words = []
        for element in node.elts:
            value = element.value if isinstance(element, ast.Constant) else None
            index = self._literal(element, value) if isinstance(value, str) else -1
            words.append(
                plain(self.source, index, index + len(value))
                if isinstance(value, str) and index >= 0
                else Placed("", ())
            )
        for ref in installs(words, prose=False):
            yield moved(ref, self.offset)

    def _literal(self, node: ast.expr, value: str) -> int:
        """Offset of a string literal's text; -1 where it isn't written as its value is."""
        start = self._index(node)
        return self.source.find(value, start, start + len(value) + 5) if value else -1

    def _index(self, node: ast.stmt | ast.expr | ast.alias) -> int:
        """Offset of a node in the source, in code points."""
        start = self.line_starts[min(node.lineno, len(self.line_starts)) - 1]
        return self.places.code_point(self.places.byte(start) + node.col_offset)


def _children(node: ast.AST, flags: frozenset[Flag]) -> Iterator[tuple[ast.AST, frozenset[Flag]]]:
    """The nodes below one, each with the flags that hold there."""
    for handler in node.handlers if isinstance(node, ast.Try) else ():
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(_name_of(name) in _IMPORT_ERRORS for name in caught):
            flags |= {Flag.OPTIONAL}
    guarded: set[ast.AST] = set()
    if isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
        guarded.update(node.body)
    for child in ast.iter_child_nodes(node):
        yield child, flags | {Flag.TYPE_CHECKING} if child in guarded else flags


def _name_of(node: ast.AST | None) -> str:
    """Last part of a plain or dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# Code that doesn't parse as a whole

_OPENING, _CLOSING = "([{", ")]}"
LONGEST = 1_048_576
"""characters of a text that is parsed; the tree takes some 100 times as much memory"""
_MOST_PARTS = 1000
_DOTTED = re.compile(r"\w+(?:[\s\\]*\.[\s\\]*\w+)*")
_CALLS = ("import_module(", "__import__(")


@dataclass(frozen=True, slots=True)
class LogicalLine:
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
            index = line_end(source, index)
            continue
        if char in ":;":
            behind = source[index + 1 : index + 20]
            if behind.lstrip(" ").startswith(("import ", "from ")):
                starts.append(index + 1 + len(behind) - len(behind.lstrip(" ")))
            if char == ";":
                ends.append(index)
        elif source.startswith(_CALLS, index) and not (
            index and f"_{source[index - 1]}".isidentifier()
        ):
            starts.append(index)
        index += 1
    ends = sorted([*ends, *starts, len(source)])
    for start in starts:
        yield start, ends[bisect_right(ends, start)]


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


def _outline(statements: list[LogicalLine]) -> tuple[list[int], list[int]]:
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
    text: str, statements: list[LogicalLine], outline: tuple[list[int], list[int]], number: int
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


def _head(text: str, statement: LogicalLine) -> str:
    return text[statement.start : min(statement.end, statement.start + 200)]


def texts_in(code: str) -> Iterator[tuple[int, int]]:
    """Start and end of each comment and each string literal of code that parses, in order."""
    index = 0
    while index < len(code):
        start = index
        if code[index] == "#":
            index = line_end(code, index)
            yield start, index
        elif code[index] in "'\"":
            index = _behind_string(code, index)
            yield start, index
        else:
            index += 1


def statements_of(text: str) -> Iterator[LogicalLine]:
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
            yield LogicalLine(start, end, indent)
        position = max(end, start + 1)


def _logical_end(text: str, start: int) -> int:
    """Offset of the line break (or end of text) that ends the logical line from ``start``."""
    depth, index = 0, start
    while index < len(text):
        char = text[index]
        if char == "#":
            index = line_end(text, index)
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
    words = text[start : line_end(text, start)].split(None, 3)
    if len(words) < 2:
        return False
    return words[0] == "import" or (len(words) > 2 and words[0] == "from" and words[2] == "import")


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


def distribution_of(dotted_import: str) -> str | None:
    """Canonical distribution name of a dotted module by its longest prefix in the table.

    None where the table has no entry, or where that prefix belongs to no single distribution
    (``google.cloud``, ``kaggle_secrets``): ``is_namespace`` tells the two apart.
    """
    return _entry(dotted_import) or None


def is_namespace(dotted_import: str) -> bool:
    """True where the longest prefix in the table is of many distributions, or of none."""
    return _entry(dotted_import) == ""


def _entry(dotted: str) -> str | None:
    parts = dotted.split(".", _deepest())
    table = known_modules()
    for count in range(min(len(parts), _deepest()), 0, -1):
        found = table.get(".".join(parts[:count]))
        if found is not None:
            return found
    return None


@cache
def _deepest() -> int:
    """Parts of the longest name in the table: no longer prefix can stand there."""
    return max(name.count(".") for name in known_modules()) + 1
