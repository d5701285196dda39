"""Imports and install commands in Python code, by its syntax tree.

Code that doesn't parse is read statement by statement (``python_statements``). Notebook lines
(``!pip install x``, ``%pip install x``, ``%%bash``) are read as shell.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ghostbust.extractors.byte_offsets import ByteOffsets
from ghostbust.extractors.import_names import distribution_of, is_namespace
from ghostbust.extractors.install_commands import installs
from ghostbust.extractors.package_names import canonical
from ghostbust.extractors.placed import Placed, plain
from ghostbust.extractors.python_statements import parse, parsed_pieces, texts_in
from ghostbust.extractors.shell import ProseExtractor, ShellExtractor
from ghostbust.extractors.stdlib import is_stdlib
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError"})
_IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".pdf", ".svg", ".bmp", ".tiff", ".webp", ".xwd")
_NO_FLAGS: frozenset[Flag] = frozenset()
_BETWEEN = tuple("\\\r\n\t\f ")
"""what may stand between ``from`` and the module"""
_LONGEST_MODULE = 1000
"""characters of a dotted module that is looked up together with each name imported from it"""


class PythonExtractor:
    """Imports, dynamic imports of a literal name, and install commands of Python code.

    Relative imports and names made up at run time are no refs.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """IMPORT and INSTALL refs; see ``Extractor.find``."""
        tree = parse(text)
        if tree is not None:
            yield from _Reader(text, offset).refs(tree, _NO_FLAGS)
            yield from ProseExtractor().find(_texts_only(text), offset)
            return
        code, shell_lines = _without_notebook_lines(text)
        tree = parse(code)
        if tree is not None:
            yield from _Reader(code, offset).refs(tree, _NO_FLAGS)
            code = _texts_only(code)
        else:
            for piece in parsed_pieces(code):
                reader = _Reader(piece.source, offset + piece.start)
                yield from reader.refs(piece.tree, _flags_of_headers(piece.guards))
        for start, end in shell_lines:
            yield from ShellExtractor().find(text[start:end], offset + start)
        yield from ProseExtractor().find(_without_commented_magics(code), offset)


class PythonLineExtractor:
    """Imports that begin a line of a text that is mostly no Python. Nothing else."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """IMPORT refs; see ``Extractor.find``."""
        if not has_imports(text):
            return
        for piece in parsed_pieces(text):
            begins = text[piece.start - 1 : piece.start] in ("", "\n")
            if begins and any(map(_is_plain_import, piece.tree.body)):
                yield from _Reader(piece.source, offset + piece.start).refs(piece.tree, _NO_FLAGS)


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
    """True for an import, but for ImageMagick's ``import shot.png``."""
    if isinstance(node, ast.Import):
        return not any(alias.name.endswith(_IMAGES) for alias in node.names)
    return isinstance(node, ast.ImportFrom)


def _without_notebook_lines(text: str) -> tuple[str, list[tuple[int, int]]]:
    """(the code with notebook lines overwritten by ``0``, same length; where they stood)."""
    pieces: list[str] = []
    spans: list[tuple[int, int]] = []
    position, in_shell_cell, continues = 0, False, False
    for line in text.splitlines(keepends=True):
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
        position += len(line)
    return "".join(pieces), spans


def _texts_only(code: str) -> str:
    """Code that parses, same length, without what stands outside of its strings and comments."""
    pieces, position = [], 0
    for start, end in texts_in(code):
        pieces += [_blanked(code[position:start]), code[start:end]]
        position = end
    return _without_commented_magics("".join([*pieces, _blanked(code[position:])]))


def _blanked(text: str) -> str:
    return "".join(char if char.isspace() else " " for char in text)


def _without_commented_magics(text: str) -> str:
    """The code, same length, without comments such as ``# !pip install x``: that is not run."""
    if "#" not in text:
        return text
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        comment = line.lstrip()
        if comment.startswith("#") and comment.lstrip("# \t").startswith(("!", "%")):
            lines[number] = _blanked(line)
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
class _Reader:
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
        elif isinstance(node, ast.Call) and _imports(node.func):
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
        yield PackageRef(
            Ecosystem.PYPI, RefKind.IMPORT, raw, start, start + len(raw),
            name=raw if builtin else _distribution(dotted),
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
            yield replace(ref, start=self.offset + ref.start, end=self.offset + ref.end)

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
    if isinstance(node, ast.Try) and any(_catches_import_error(h.type) for h in node.handlers):
        flags |= {Flag.OPTIONAL}
    guarded: set[ast.AST] = set()
    if isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
        guarded.update(node.body)
    for child in ast.iter_child_nodes(node):
        yield child, flags | {Flag.TYPE_CHECKING} if child in guarded else flags


def _catches_import_error(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_name_of(name) in _IMPORT_ERRORS for name in names)


def _imports(function: ast.expr) -> bool:
    return _name_of(function) in ("import_module", "__import__")


def _name_of(node: ast.AST | None) -> str:
    """Last part of a plain or dotted name; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _distribution(dotted: str) -> str | None:
    """Distribution of a module by the table, else a guess: its top level. None for a namespace."""
    owner = distribution_of(dotted)
    if owner is None and not is_namespace(dotted):
        return canonical(Ecosystem.PYPI, dotted.partition(".")[0])
    return owner
