"""Which packages and files of JavaScript an answer itself defines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ghostbust.extractors.markdown import Block, BlockKind
from ghostbust.extractors.package_json import GROUPS
from ghostbust.extractors.vocabulary import word_set
from ghostbust.parsing import ParseError, parse_json

ENDINGS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte")
"""of files that an import may name without them"""
_COMMENTS = ("//", "/*", "<!--")
_OF_PACKAGE = GROUPS | word_set("version scripts main module exports types bin private workspaces")
"""keys that only a package.json has: any JSON text may have a ``name``"""
_AROUND = " \t\r*/<!->`'\"():{}"


@dataclass(frozen=True, slots=True)
class LocalPackages:
    """What an import in the answer may mean instead of a package from the registry."""

    names: frozenset[str]
    """names of the package.json files, and path aliases of the tsconfig.json files"""
    files: Mapping[str, list[Block]]
    """the blocks that hold a file, by its path without the ending"""

    def hold(self, specifier: str, place: int) -> bool:
        """True where the specifier that stands at ``place`` of the answer names one of them.

        A file isn't its own module: ``// three.js`` above an import of ``three`` says nothing.
        """
        parts = specifier.split("/")
        if any("/".join(parts[:count]) in self.names for count in range(1, len(parts) + 1)):
            return True
        blocks = self.files.get(_stem(specifier), [])
        return len(blocks) > 1 or any(not b.start <= place < b.end for b in blocks)


def local_packages(text: str, blocks: Iterable[Block]) -> LocalPackages:
    """What the fences of an answer define: manifests, and files that bear their path.

    A file's path stands in the info string, or alone in a comment in the first line.
    """
    names: set[str] = set()
    files: dict[str, list[Block]] = {}
    for block in blocks:
        if block.kind is BlockKind.FENCE:
            body = text[block.start : block.end]
            names.update(_names(body))
            for path in _paths(block.info, body):
                files.setdefault(_stem(path), []).append(block)
    return LocalPackages(frozenset(names), files)


def _names(body: str) -> Iterator[str]:
    """The name in a package.json, and the aliases in a tsconfig.json."""
    if not body.lstrip().startswith("{") or not ('"name"' in body or '"paths"' in body):
        return
    try:
        manifest = parse_json(body)
    except ParseError:
        return
    if not isinstance(manifest, dict):
        return
    name = manifest.get("name")
    if isinstance(name, str) and name and not _OF_PACKAGE.isdisjoint(manifest):
        yield name
    options = manifest.get("compilerOptions")
    paths = options.get("paths") if isinstance(options, dict) else None
    for alias in paths if isinstance(paths, dict) else ():
        if plain := alias.removesuffix("*").rstrip("/"):
            yield plain


def _paths(info: str, body: str) -> Iterator[str]:
    first = body.lstrip().partition("\n")[0]
    comment = first.split() if first.startswith(_COMMENTS) else []
    words = [word.strip(_AROUND) for word in comment]
    named = [word for word in words if word and word.lower() not in ("file", "filename")]
    if len(named) != 1:
        named = []
    for word in [*info.replace("=", " ").replace(":", " ").split(), *named]:
        path = word.strip(_AROUND)
        if path.endswith(ENDINGS) and not path.startswith("."):
            yield path


def _stem(path: str) -> str:
    """A path without its ending, ``src/`` in front and ``/index`` behind."""
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    return path.removeprefix("src/").removesuffix("/index")
