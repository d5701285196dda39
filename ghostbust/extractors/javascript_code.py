"""Imports and install commands in JavaScript and TypeScript code, by its syntax tree.

Code that isn't valid is read by what the parser recovers, and statement by statement beside
that (``javascript_statements``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ghostbust.extractors.byte_offsets import ByteOffsets
from ghostbust.extractors.install_commands import installs
from ghostbust.extractors.javascript_faults import loose_imports
from ghostbust.extractors.javascript_grammars import Grammar
from ghostbust.extractors.javascript_markup import is_markup, scripts
from ghostbust.extractors.javascript_specifiers import read_specifier
from ghostbust.extractors.javascript_statements import Piece, pieces
from ghostbust.extractors.javascript_syntax import Import, Literal, Syntax, read, read_as
from ghostbust.extractors.package_names import canonical
from ghostbust.extractors.placed import Placed, plain
from ghostbust.extractors.shell import ProseExtractor
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_MARKS = tuple(
    [
        f"{word}{space}{quote}"
        for word in ("from", "import")
        for space in ("", " ")
        for quote in "'\""
    ]
    + ["require(", "import("]
)
_COMMENT = re.compile(r"^[ \t]*/\*", re.M)
_LONGEST_TO_MEND = 100_000
_ENDINGS = ("'", '"', "')", '")', "`)", ")")


class JavaScriptExtractor:
    """Imports, re-exports, calls that load a literal specifier, and install commands.

    JSX, TypeScript and the scripts of Vue, Svelte, Astro and HTML files are read. Paths, path
    aliases, URLs and specifiers made up at run time are no refs, nor is what a test mocks.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """IMPORT and INSTALL refs; see ``Extractor.find``."""
        spans = scripts(text) if is_markup(text) else [(0, len(text))]
        for start, end in spans:
            yield from _code(text[start:end], offset + start)
        yield from ProseExtractor().find(text, offset)


class JavaScriptLineExtractor:
    """Import statements that begin a line of a text that is mostly no code. Nothing else."""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """IMPORT refs; see ``Extractor.find``."""
        if not _may_import(text):
            return
        for piece in pieces(text):
            if piece.is_statement:
                yield from _piece(text, piece, offset, guarded=False, valid_only=True)


def has_javascript_imports(text: str) -> bool:
    """True where some statement of ``text`` is plainly an import of JavaScript or TypeScript.

    ``import "x"`` and ``require("x")`` alone aren't: other languages have them too.
    """
    if not _may_import(text):
        return False
    for piece in pieces(text):
        if piece.is_statement:
            declares = not text.startswith(("import", "export"), piece.start)
            found = _imports_in(text, piece, valid_only=True)
            if any(declares or not each.bare for each, _ in found):
                return True
    return False


def is_javascript(text: str) -> bool:
    """True where ``text`` is valid JavaScript or TypeScript as a whole, and imports something."""
    if not _may_import(text):
        return False
    syntax = read(ByteOffsets(text).data)
    return bool(syntax.imports) and not syntax.broken


def does_more_than_load(text: str) -> bool:
    """True where there is code besides ``import "x"`` and ``require("x")``, which prove nothing."""
    return any(
        not line.startswith(("import", "require")) and ("{" in line or "=" in line)
        for line in text.splitlines()
    )


def _may_import(text: str) -> bool:
    """False where nothing in the text looks like an import, so that it needn't be parsed."""
    return any(mark in text for mark in _MARKS)


def _code(text: str, offset: int) -> Iterator[PackageRef]:
    """Refs of a text that is code as a whole, whether it is valid or not."""
    places = ByteOffsets(text)
    syntax = read(places.data)
    if syntax.broken and (comment := _open_comment(text)) is not None:
        text = text[:comment]
        places = ByteOffsets(text)
        syntax = read(places.data)
    for found in syntax.imports:
        yield from _import(text, found, places, offset)
    for row in syntax.lists:
        yield from _argument_list(text, row, places, offset)
    if not _is_faulty(syntax, text):
        return
    for piece in pieces(text):
        start = places.byte(piece.start)
        if start not in syntax.opaque:
            guarded = start in syntax.guarded
            yield from _piece(text, piece, offset, guarded=guarded, valid_only=False)


def _is_faulty(syntax: Syntax, text: str) -> bool:
    """True for code that isn't valid, or has typographic quotes, which make names in a grammar."""
    return syntax.broken > 0 or "(“" in text or "(‘" in text


def _open_comment(text: str) -> int | None:
    """Offset of a comment that begins a line and that nothing closes; None where there is none."""
    opened = _COMMENT.search(text, max(text.rfind("*/"), 0))
    return opened.start() if opened else None


def _piece(
    text: str, piece: Piece, offset: int, *, guarded: bool, valid_only: bool
) -> Iterator[PackageRef]:
    """Refs of one statement. ``guarded``: it stands in a ``try`` that catches."""
    source = text[piece.start : piece.end]
    places = ByteOffsets(source)
    for found, cut in _imports_in(text, piece, valid_only=valid_only):
        optional = found.optional or (guarded and found.bare)
        yield from _import(
            source, replace(found, optional=optional), places, offset + piece.start, cut=cut
        )


def _imports_in(text: str, piece: Piece, *, valid_only: bool) -> Iterator[tuple[Import, bool]]:
    """Imports of one statement, and whether the text breaks off in the specifier.

    The last statement of a text may end in the middle. ``valid_only`` leaves out what stands
    in a statement with other faults than that, unless nothing but JavaScript begins so.
    """
    source = text[piece.start : piece.end]
    places = ByteOffsets(source)
    syntax = read_as(places.data, Grammar.TSX)
    if not (valid_only and syntax.broken):
        yield from ((found, False) for found in syntax.imports)
    if not _is_faulty(syntax, source):
        return
    is_last = piece.end >= len(text)
    if is_last and not syntax.given_up and (cut := _cut_import(places.data, valid_only=valid_only)):
        yield cut
        return
    known = {found.source.start for found in syntax.imports} if not valid_only else set[int]()
    for loose in loose_imports(source):
        literal = Literal(places.byte(loose.start), places.byte(loose.end))
        if literal.start in known or (valid_only and not loose.is_plain):
            continue
        is_type = source.startswith(("import type {", "export type {"))
        is_cut = is_last and not loose.is_closed and loose.end == len(source)
        yield Import(literal, is_type, optional=False, bare=loose.is_call), is_cut


def _cut_import(data: bytes, *, valid_only: bool) -> tuple[Import, bool] | None:
    """The import that the end of the text cuts off, and whether it does so in the specifier."""
    if len(data) > _LONGEST_TO_MEND:
        return None
    for ending in _ENDINGS:
        mended = read_as(data + ending.encode(), Grammar.TSX)
        for found in mended.imports:
            if found.source.end >= len(data) - 1 and not (valid_only and mended.broken):
                return found, found.source.end == len(data)
    return None


def _import(
    text: str, found: Import, places: ByteOffsets, offset: int, *, cut: bool = False
) -> Iterator[PackageRef]:
    """The ref of a specifier; none where it names no package. ``cut``: the text ends in it."""
    start, end = places.code_point(found.source.start), places.code_point(found.source.end)
    written = text[start:end]
    package = read_specifier(written)
    if package is None:
        return
    flags = set()
    if found.types_only:
        flags.add(Flag.TYPE_CHECKING)
    if found.optional:
        flags.add(Flag.OPTIONAL)
    if cut and package.end == len(written):
        flags.add(Flag.TRUNCATED)
    start += offset + package.start
    yield PackageRef(
        Ecosystem.NPM, RefKind.IMPORT, package.name, start, start + len(package.name),
        name=canonical(Ecosystem.NPM, package.name), import_name=written,
        builtin=package.builtin, flags=frozenset(flags),
    )  # fmt: skip


def _argument_list(
    text: str, row: Iterable[Literal | None], places: ByteOffsets, offset: int
) -> Iterator[PackageRef]:
    """Installs of a command given as a list: ``spawn("npm", ["install", "x"])``."""
    words = [
        plain(text, places.code_point(item.start), places.code_point(item.end))
        if item is not None
        else Placed("", ())
        for item in row
    ]
    for ref in installs(words, prose=False):
        yield replace(ref, start=offset + ref.start, end=offset + ref.end)
