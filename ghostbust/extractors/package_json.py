"""The packages that a ``package.json`` names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ghostbust.extractors.literals import Entry, read_object
from ghostbust.extractors.placed import Placed
from ghostbust.extractors.requirement_lines import manifest_ref
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

GROUPS = word_set("dependencies devDependencies peerDependencies optionalDependencies")
"""the keys of a ``package.json`` under which packages stand"""
_NPM = Ecosystem.NPM
_NAME = re.compile(r"(?:@[A-Za-z0-9!~*'()_.-]+/)?[A-Za-z0-9!~*'()_-][A-Za-z0-9!~*'()_.-]*")
"""what the registry has ever taken for a name"""
_FROM_REGISTRY = ("catalog:", "npm:")


class PackageJsonExtractor:
    """Dependencies that come from the registry, also in cut-off, broken or partly quoted files.

    What a value takes from a workspace, a path, a repository or an address is none. Of an alias
    (``"x": "npm:y@1"``) the ref is ``y``. Lock files are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        for entry in read_object(text):
            if _is_dependency(entry):
                yield from _ref(entry, offset)


def is_package_json(text: str) -> bool:
    """True where a JSON text has dependencies as a ``package.json`` writes them."""
    return any(_is_dependency(entry) and entry.value is not None for entry in read_object(text))


def _is_dependency(entry: Entry) -> bool:
    return len(entry.path) == 2 and entry.path[0].value in GROUPS and not entry.scalar


def _ref(entry: Entry, offset: int) -> Iterator[PackageRef]:
    key = entry.path[1]
    wanted = entry.value.placed() if entry.value else None
    version = wanted.value if wanted else ""
    cut = entry.value is not None and not entry.value.closed
    if wanted is not None and version.startswith("npm:"):
        yield from manifest_ref(wanted, _NPM, offset, cut=cut)
        return
    if (":" in version or "/" in version) and not version.startswith(_FROM_REGISTRY):
        return
    yield from _of_key(key, offset, cut=not entry.key_closed)


def _of_key(key: Placed, offset: int, *, cut: bool) -> Iterator[PackageRef]:
    """The ref of a key that is a package name as a whole."""
    name = key.value
    span = key.span(0, len(name))
    if span is None or not _NAME.fullmatch(name):
        return
    ref = PackageRef(_NPM, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset, name)
    yield replace(ref, flags=frozenset({Flag.TRUNCATED})) if cut else ref
