"""The packages that ``pyproject.toml``, ``Pipfile`` and PEP 723 headers of scripts name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from packaging.utils import canonicalize_name

from ghostbust.extractors.literals import Entry
from ghostbust.extractors.package_names import canonical, scan_name
from ghostbust.extractors.placed import Placed, plain
from ghostbust.extractors.requirement_lines import manifest_ref
from ghostbust.extractors.toml_entries import toml_entries
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_ANY = "*"
# Paths of lists of requirements: PEP 621, 735, 518; PEP 723 and quoted parts of files; tools.
_LISTS = tuple(
    tuple(path.split("/"))
    for path in (
        "project/dependencies", "project/optional-dependencies/*", "dependency-groups/*",
        "build-system/requires", "dependencies", "optional-dependencies/*",
        "tool/uv/dev-dependencies", "tool/uv/constraint-dependencies",
        "tool/uv/override-dependencies", "tool/pdm/dev-dependencies/*",
        "tool/rye/dev-dependencies", "tool/hatch/envs/*/dependencies",
        "tool/hatch/envs/*/extra-dependencies", "tool/flit/metadata/requires",
        "tool/flit/metadata/requires-extra/*",
    )
)  # fmt: skip
# Paths of tables whose keys are packages.
_TABLES = tuple(
    tuple(path.split("/"))
    for path in (
        "tool/poetry/dependencies", "tool/poetry/dev-dependencies",
        "tool/poetry/group/*/dependencies", "packages", "dev-packages",
    )
)  # fmt: skip
_SOURCES = (("tool", "uv", "index"), ("tool", "poetry", "source"), ("tool", "pdm", "source"),
            ("source",))  # fmt: skip
_ELSEWHERE = word_set("git path url file workspace develop ref editable")
_INDEX = word_set("index source")
_FOREIGN = "elsewhere"
_SIGNS = word_set("project build-system dependency-groups packages dev-packages")


_Entries = Sequence[tuple[tuple[str, ...], Entry]]


@dataclass(slots=True)
class _Package:
    """A package that a table names by a key."""

    key: Placed
    key_closed: bool
    said: dict[str, str] = field(default_factory=dict)
    """what the table behind the key says, by its keys"""


class PyprojectExtractor:
    """The requirements in TOML, spans as they are written, also in cut-off and broken files.

    The project's own name is none, nor what ``[tool.uv.sources]`` or the entry itself takes from
    a repository, a path or an address. Tables of other tools are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        entries = [(tuple(part.value for part in e.path), e) for e in toml_entries(text)]
        own = {canonicalize_name(value) for path, value in _strings(entries)
               if path in (("project", "name"), ("tool", "poetry", "name"))}  # fmt: skip
        sources = _packages(entries, (("tool", "uv", "sources"),))
        taken = {str(canonicalize_name(p.key.value)): _place(p) for p in sources}
        private = _has_private_index(entries)
        refs = [ref for path, entry in entries if _matches(path, _LISTS)
                for ref in _of_string(entry, offset)]  # fmt: skip
        refs += [ref for package in _packages(entries, _TABLES)
                 for ref in _of_key(package, offset)]  # fmt: skip
        for ref in refs:
            place = taken.get(str(ref.name))
            if ref.name not in own and place != _FOREIGN:
                flags = {Flag.PRIVATE_INDEX} if private or place else set[Flag]()
                yield replace(ref, flags=ref.flags | flags)


def hidden_names(text: str) -> list[str]:
    """The dependencies in TOML whose names are written with escapes, so that no span is theirs."""
    entries = [(tuple(part.value for part in e.path), e) for e in toml_entries(text)]
    specs = [e.value.placed() for path, e in entries if e.value and _matches(path, _LISTS)]
    specs += [package.key for package in _packages(entries, _TABLES)]
    return [
        spec.value
        for spec in specs
        if not any(manifest_ref(spec, Ecosystem.PYPI, 0))
        and any(manifest_ref(plain(spec.value, 0, len(spec.value)), Ecosystem.PYPI, 0))
    ]


def is_pyproject(text: str) -> bool:
    """True where a TOML text holds a table in which packages are named."""
    return any(
        len(path) > 1 and (path[0] in _SIGNS or _matches(path, _LISTS) or _in_tables(path))
        for path in (tuple(part.value for part in e.path) for e in toml_entries(text))
    )


def _strings(
    entries: _Entries,
) -> Iterator[tuple[tuple[str, ...], str]]:
    for path, entry in entries:
        if entry.value is not None:
            yield path, entry.value.placed().value


def _matches(path: tuple[str, ...], patterns: Iterable[tuple[str, ...]]) -> bool:
    return any(
        len(path) == len(pattern)
        and all(want in (_ANY, part) for want, part in zip(pattern, path, strict=True))
        for pattern in patterns
    )


def _in_tables(path: tuple[str, ...]) -> bool:
    return any(_matches(path[: len(table)], (table,)) for table in _TABLES)


def _packages(entries: _Entries, tables: tuple[tuple[str, ...], ...]) -> list[_Package]:
    """The keys of tables, each with what stands behind it."""
    found: dict[tuple[tuple[str, ...], int], _Package] = {}
    for path, entry in entries:
        table = next((t for t in tables if _matches(path[: len(t)], (t,))), None)
        if table is None or len(path) == len(table):
            continue
        key = entry.path[len(table)]
        is_last = len(path) == len(table) + 1
        place = key.at[0] if key.at else -1
        package = found.setdefault(
            (path[: len(table) + 1], place), _Package(key, entry.key_closed or not is_last)
        )
        for word in path[len(table) + 1 :][:1]:
            package.said[word] = entry.value.placed().value if entry.value else entry.scalar
    return list(found.values())


def _place(package: _Package) -> str:
    """Where a package comes from: elsewhere, another index, or empty for the usual place."""
    if not _ELSEWHERE.isdisjoint(package.said):
        return _FOREIGN
    others = [package.said[word] for word in _INDEX if word in package.said]
    return Flag.PRIVATE_INDEX if any(other.lower() != "pypi" for other in others) else ""


def _has_private_index(entries: _Entries) -> bool:
    """True where the file names an index besides PyPI that isn't for chosen packages only."""
    indexes: dict[int, dict[str, str]] = {}
    for path, entry in entries:
        if path[:-1] in _SOURCES:
            said = indexes.setdefault(entry.holder, {})
            said[path[-1]] = entry.value.placed().value if entry.value else entry.scalar
    return any(
        said.get("name", "").lower() != "pypi"
        and said.get("explicit") != "true"
        and said.get("priority") != "explicit"
        for said in indexes.values()
    )


def _of_string(entry: Entry, offset: int) -> Iterator[PackageRef]:
    if entry.value is not None:
        cut = not entry.value.closed
        yield from manifest_ref(entry.value.placed(), Ecosystem.PYPI, offset, cut=cut)


def _of_key(package: _Package, offset: int) -> Iterator[PackageRef]:
    """The ref of a key; none for ``python`` itself and what comes from elsewhere."""
    name = package.key.value
    place = _place(package)
    span = package.key.span(0, len(name))
    is_name = scan_name(name, Ecosystem.PYPI) == len(name) > 0
    if span is None or not is_name or name == "python" or place == _FOREIGN:
        return
    flags = {Flag.PRIVATE_INDEX} if place else set()
    flags |= set() if package.key_closed else {Flag.TRUNCATED}
    yield PackageRef(
        Ecosystem.PYPI, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset,
        canonical(Ecosystem.PYPI, name), flags=frozenset(flags),
    )  # fmt: skip
