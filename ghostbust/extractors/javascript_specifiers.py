"""Reads module specifiers: which package, if any, does ``lodash/get`` or ``npm:chalk@5`` name?"""

from __future__ import annotations

from dataclasses import dataclass

from ghostbust.extractors.node_builtins import is_node_builtin, is_runtime_scheme
from ghostbust.extractors.package_names import is_placeholder
from ghostbust.extractors.vocabulary import word_set

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
        return _of_scheme(scheme.lower(), behind, len(scheme) + 1, text)
    path = text.partition("?")[0]
    if is_node_builtin(path):
        return Specifier(0, path.partition("/")[0], builtin=True)
    name = _package(path)
    return Specifier(0, name) if name and not _is_alias(name, path) else None


def _of_scheme(scheme: str, behind: str, start: int, text: str) -> Specifier | None:
    """What ``node:fs`` or ``npm:chalk@5`` names; None for URLs and other registries."""
    if is_runtime_scheme(scheme):
        end = start + len(behind.partition("/")[0])
        return Specifier(0, text[:end], builtin=True) if behind else None
    if scheme != "npm":
        return None
    path = behind.lstrip("/")
    name = _package(path)
    return Specifier(start + len(behind) - len(path), name) if name else None


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


def _is_alias(name: str, path: str) -> bool:
    """True where the first part is a folder that projects give an alias, not a package."""
    if name.startswith("@"):
        return name[1:].partition("/")[0] in _ALIAS_SCOPES
    return name in _ALIAS_FOLDERS and path != name
