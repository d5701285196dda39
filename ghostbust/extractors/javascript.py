"""Imports and install commands in JavaScript and TypeScript code, by its syntax tree.

Code that isn't valid is read by what the parser recovers, and statement by statement beside that
(``javascript_faults``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ghostbust.extractors.installers import installs
from ghostbust.extractors.interface import Placed, moved, plain, word_set
from ghostbust.extractors.javascript_faults import LoadingStatement, loose_imports, pieces
from ghostbust.extractors.javascript_syntax import (
    ByteOffsets,
    Grammar,
    Import,
    Literal,
    Syntax,
    read,
    read_as,
)
from ghostbust.extractors.names import canonical, is_placeholder
from ghostbust.extractors.shell import prose_refs
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_MARKS = (
    "from'", 'from"', "from '", 'from "', "import'", 'import"', "import '", 'import "', "require(",
    "import(",
)  # fmt: skip
_COMMENT = re.compile(r"^[ \t]*/\*", re.M)
_LONGEST_TO_MEND = 100_000
_ENDINGS = ("'", '"', "')", '")', "`)", ")")


def javascript_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT and INSTALL refs: imports, re-exports, calls that load a literal specifier, commands.

    JSX, TypeScript and the scripts of Vue, Svelte, Astro and HTML files are read. Paths, path
    aliases, URLs and specifiers made up at run time are no refs, nor is what a test mocks.
    """
    for start, end in scripts(text):
        yield from _code(text[start:end], offset + start)
    yield from prose_refs(text, offset)


def javascript_line_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT refs of the statements that begin a line of a text that is mostly prose."""
    if not _may_import(text):
        return
    for piece in pieces(text):
        if piece.is_statement:
            yield from _piece(text, piece, offset, guarded=False, valid_only=True)


def has_javascript_imports(text: str) -> bool:
    """True where a statement of ``text`` can only be an import of JavaScript or TypeScript.

    ``import "x"`` and ``require("x")`` alone prove nothing: other languages have them too.
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
    if syntax.broken and (comment := _COMMENT.search(text, max(text.rfind("*/"), 0))):
        text = text[: comment.start()]  # nothing closes it
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


def _piece(
    text: str, piece: LoadingStatement, offset: int, *, guarded: bool, valid_only: bool
) -> Iterator[PackageRef]:
    """Refs of one statement. ``guarded``: it stands in a ``try`` that catches."""
    source = text[piece.start : piece.end]
    places = ByteOffsets(source)
    for found, cut in _imports_in(text, piece, valid_only=valid_only):
        optional = found.optional or (guarded and found.bare)
        yield from _import(
            source, replace(found, optional=optional), places, offset + piece.start, cut=cut
        )


def _imports_in(
    text: str, piece: LoadingStatement, *, valid_only: bool
) -> Iterator[tuple[Import, bool]]:
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
        yield moved(ref, offset)


# The scripts in Vue, Svelte, Astro and HTML files

_OPENING = re.compile(r"<script(?P<attributes>(?:\s[^<>]*)?)>", re.I)
_CLOSING = re.compile(r"</script\s*>", re.I)
_DATA = ("json", "importmap", "template", "speculationrules", "python", "x-shader")
_FRONTMATTER = "---"


def scripts(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each script of a component or a page; all of a text that is neither.

    The part between the ``---`` at the beginning of an Astro file is a script. So is what stands in
    a script element, without its tags, unless it is data or another language; one that nothing
    closes ends the text. A text with such an element is markup if it begins with a tag; a comment
    may stand in front (``// App.vue``).
    """
    position = 0
    lead = len(text) - len(text.lstrip())
    if text.startswith(f"{_FRONTMATTER}\n", lead):
        start = lead + len(_FRONTMATTER) + 1
        end = text.find(f"\n{_FRONTMATTER}", start - 1)
        position = end + 1 if end >= 0 else len(text)
        yield start, position
    else:
        lines = (line.lstrip() for line in text.splitlines())
        first = next((line for line in lines if line and not line.startswith(("//", "#"))), "")
        if not first.startswith("<") or _OPENING.search(text) is None:
            yield 0, len(text)
            return
    while (opening := _OPENING.search(text, position)) is not None:
        closing = _CLOSING.search(text, opening.end())
        end = closing.start() if closing else len(text)
        if not any(word in opening["attributes"].lower() for word in _DATA):
            yield opening.end(), end
        position = closing.end() if closing else len(text)


# Module specifiers: which package, if any, does ``lodash/get`` or ``npm:chalk@5`` name?

_MODULES = word_set(
    # what `node:module` lists as builtinModules in any release from 12 to 25, subpaths too: those
    # of `process/` and `punycode/` are files of npm packages; `test` and `sqlite` are built in
    # behind `node:` only
    """
    assert assert/strict async_hooks buffer child_process cluster console constants crypto dgram
    diagnostics_channel dns dns/promises domain events fs fs/promises http http2 https inspector
    inspector/promises module net os path path/posix path/win32 perf_hooks process punycode
    querystring readline readline/promises repl stream stream/consumers stream/promises stream/web
    string_decoder sys timers timers/promises tls trace_events tty url util util/types v8 vm wasi
    worker_threads zlib bun
    _http_agent _http_client _http_common _http_incoming _http_outgoing _http_server
    _stream_duplex _stream_passthrough _stream_readable _stream_transform _stream_wrap
    _stream_writable _tls_common _tls_wrap
    """
)
_RUNTIMES = word_set("node bun deno cloudflare")
"""schemes of what a runtime itself provides: ``node:fs``"""
_ALNUM = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_NAME = _ALNUM | frozenset("-_.~")
_SCHEME = _ALNUM | frozenset("+.-")
_LONGEST = 214
_ALIAS_FOLDERS = word_set(
    # folders of a project that path aliases point to; not those that are packages with
    # documented subpaths (config/defer, store/plugins)
    "src app components utils helpers hooks lib libs pages assets styles services containers "
    "contexts layouts views features shared controllers middleware middlewares models routes "
    "constants public api"
)
_ALIAS_SCOPES = _ALIAS_FOLDERS | word_set(
    # no public package of the snapshot of 2026-11-23 but @components/forms, @lib/auto* and
    # @std/esm has one of these scopes
    "component apps store stores service config util layout core common helper modules context "
    "interfaces ui db server client test tests std jsr repo domain infrastructure infra "
    "middleware packages"
)
_FILE_ENDINGS = tuple(
    word_set(
        ".css .scss .sass .less .styl .json .svg .png .jpg .jpeg .gif .webp .html .txt .md .wasm "
        ".ts .tsx .jsx .mts .cts .mjs .cjs .vue .svelte .graphql .gql .yaml .yml .node .glsl .mp3 "
        ".dart .sol .php .proto"
    )
)
_LIKE_FILES = word_set("normalize.css sanitize.css animate.css")
"""much-used packages that are called as files are (snapshot of 2026-11-23)"""


@dataclass(frozen=True, slots=True)
class Specifier:
    """The part of a module specifier that names a package."""

    start: int
    """offset of the part in the specifier"""
    name: str
    """the package as written, without version or subpath; ``node:fs`` with its scheme"""
    builtin: bool = False
    """True where the runtime itself provides the module"""

    @property
    def end(self) -> int:
        """Offset behind the part."""
        return self.start + len(self.name)


def read_specifier(text: str) -> Specifier | None:
    """The package that a specifier names; None where it names none from the npm registry.

    None are: paths, URLs, ``#internal``, path aliases (``@/x``, ``~/x``, ``$lib/x``, ``src/x``),
    modules that a bundler makes up (``virtual:x``), JSR, names that no package can have, file
    names, placeholders.
    """
    scheme, has_scheme, behind = text.partition(":")
    if has_scheme and scheme and _SCHEME.issuperset(scheme):
        start = len(scheme) + 1
        if scheme.lower() in _RUNTIMES:
            end = start + len(behind.partition("/")[0])
            return Specifier(0, text[:end], builtin=True) if behind else None
        path = behind.lstrip("/")
        name = _package(path) if scheme.lower() == "npm" else ""
        return Specifier(start + len(behind) - len(path), name) if name else None
    path = text.partition("?")[0]
    if path in _MODULES:
        return Specifier(0, path.partition("/")[0], builtin=True)
    name = _package(path)
    is_alias = name in _ALIAS_FOLDERS and path != name
    if name.startswith("@"):
        is_alias = name[1:].partition("/")[0] in _ALIAS_SCOPES
    return Specifier(0, name) if name and not is_alias else None


def _package(path: str) -> str:
    """The package name at the start of a bare specifier; empty where none can stand there."""
    if path.startswith("@"):
        scope, slash, rest = path[1:].partition("/")
        inner = _segment(rest)
        if not (slash and inner and _is_segment(scope)):
            return ""
        name = f"@{scope}/{inner}"
        return "" if is_placeholder(name) or len(name) > _LONGEST else name
    name = _segment(path)
    if not name or len(name) > _LONGEST or is_placeholder(name):
        return ""
    is_file = path == name and name.lower().endswith(_FILE_ENDINGS) and name not in _LIKE_FILES
    return "" if is_file else name


def _segment(path: str) -> str:
    """The first part of a path without its version; empty where it can't be (part of) a name."""
    first = path.partition("/")[0]
    name, _, version = first.partition("@")
    if not _is_segment(name) or any(mark in version for mark in " :!"):
        return ""
    return name


def _is_segment(name: str) -> bool:
    return bool(name) and _NAME.issuperset(name) and name[0] in _ALNUM and name[-1] != "."
