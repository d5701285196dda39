"""The packages that ``pyproject.toml``, ``Pipfile`` and PEP 723 headers of scripts name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from packaging.utils import canonicalize_name

from ghostbust.extractors.installers import few, with_indexes
from ghostbust.extractors.interface import Placed, plain, word_set
from ghostbust.extractors.literals import Entry, toml_entries
from ghostbust.extractors.names import canonical, scan_name
from ghostbust.extractors.requirements import manifest_ref
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind

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
_ELSEWHERE = word_set("git hg svn bzr path url file workspace")
_INDEX = word_set("index source")
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

    The project's own name is none, nor what its own entry takes from a repository, a path or an
    address, whatever reads the file. What ``[tool.uv.sources]`` or a table of poetry does so for a
    name in another list is for that tool only, so such a name is marked (`NamedIndex`): pip asks
    the index for it. Tables of other tools are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        entries = [(tuple(part.value for part in e.path), e) for e in toml_entries(text)]
        own = _own_names(entries)
        packages = _packages(entries, _TABLES)
        sources = _source_tables(entries)
        urls = {said["name"]: said["url"] for _, said in sources if {"name", "url"} <= said.keys()}
        redirected = {
            str(canonicalize_name(package.key.value)): places
            for package in (*packages, *_packages(entries, (("tool", "uv", "sources"),)))
            if (places := _places(package, urls))
        }
        indexes = _file_indexes(sources)
        for ref in _refs(entries, packages, offset):
            if ref.name not in own:
                yield with_indexes(ref, (*redirected.get(str(ref.name), ()), *indexes))


def _refs(entries: _Entries, packages: Iterable[_Package], offset: int) -> Iterator[PackageRef]:
    """The refs of lists and tables, not marked."""
    for path, entry in entries:
        if _matches(path, _LISTS):
            yield from _of_string(entry, offset)
    for package in packages:
        yield from _of_key(package, offset)


def _own_names(entries: _Entries) -> set[str]:
    """The project's own name; poetry's only where the file has no other."""
    names = dict(_strings(entries))
    own = names.get(("project", "name")) or names.get(("tool", "poetry", "name"))
    return {canonicalize_name(own)} if own else set()


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


def _places(package: _Package, urls: Mapping[str, str]) -> tuple[NamedIndex, ...]:
    """Where its entry takes a package from, instead of the usual index.

    ``urls``: the addresses of the indexes that the file defines, by their names.
    """
    places = [f"{word} {said}" for word, said in package.said.items() if _is_place(word, said)]
    others = [package.said[word] for word in sorted(_INDEX) if word in package.said]
    places += [urls.get(other, other) for other in others if other.lower() != "pypi"]
    return tuple(NamedIndex(place, replaces=True) for place in places)


def _is_place(word: str, said: str) -> bool:
    return word in _ELSEWHERE and said != "false"


def _is_foreign(package: _Package) -> bool:
    """True where the entry names no version, so that nobody takes it from an index."""
    return "version" not in package.said and any(_is_place(*one) for one in package.said.items())


def _source_tables(entries: _Entries) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """(path, what it says) of each table that defines an index."""
    tables: dict[int, tuple[tuple[str, ...], dict[str, str]]] = {}
    for path, entry in entries:
        if path[:-1] in _SOURCES:
            _, said = tables.setdefault(entry.holder, (path[:-1], {}))
            said[path[-1]] = entry.value.placed().value if entry.value else entry.scalar
    return list(tables.values())


def _file_indexes(
    tables: Sequence[tuple[tuple[str, ...], Mapping[str, str]]],
) -> tuple[NamedIndex, ...]:
    """The indexes that the file names besides PyPI, without those for chosen packages only."""
    names_pypi = {path for path, said in tables if _is_pypi(said)}
    found: list[NamedIndex] = []
    seen: set[tuple[str, ...]] = set()
    for path, said in tables:
        is_explicit = said.get("explicit") == "true" or said.get("priority") == "explicit"
        if not _is_pypi(said) and not is_explicit:
            replaces = _replaces(
                path, said, is_first=path not in seen, beside_pypi=path in names_pypi
            )
            found.append(NamedIndex(said.get("url") or said.get("name", ""), replaces))
        seen.add(path)
    return few(found)


def _is_pypi(source: Mapping[str, str]) -> bool:
    return source.get("name", "").lower() == "pypi"


def _replaces(
    path: tuple[str, ...], said: Mapping[str, str], *, is_first: bool, beside_pypi: bool
) -> bool:
    """True where the tool asks an index instead of PyPI, by the table that names it.

    uv asks PyPI for what its indexes lack, unless one is the default; pdm asks both. Poetry asks
    PyPI no more once there is a primary source, and pipenv only the first one that the file has.
    """
    match path:
        case ("tool", "uv", "index"):
            return said.get("default") == "true"
        case ("tool", "poetry", "source"):
            is_beside = said.get("priority") in ("supplemental", "secondary")
            return not (is_beside or said.get("secondary") == "true" or beside_pypi)
        case ("source",):
            return is_first
    return False


def _of_string(entry: Entry, offset: int) -> Iterator[PackageRef]:
    if entry.value is not None:
        cut = not entry.value.closed
        yield from manifest_ref(entry.value.placed(), Ecosystem.PYPI, offset, cut=cut)


def _of_key(package: _Package, offset: int) -> Iterator[PackageRef]:
    """The ref of a key; none for ``python`` itself and what comes from elsewhere."""
    name = package.key.value
    span = package.key.span(0, len(name))
    is_name = scan_name(name, Ecosystem.PYPI) == len(name) > 0
    if span is None or not is_name or name == "python" or _is_foreign(package):
        return
    flags = set() if package.key_closed else {Flag.TRUNCATED}
    yield PackageRef(
        Ecosystem.PYPI, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset,
        canonical(Ecosystem.PYPI, name), flags=frozenset(flags),
    )  # fmt: skip


# --- script_header
# The packages that the PEP 723 header of a Python script names.

_OPENING, _CLOSING = "# /// script", "# ///"


class ScriptHeaderExtractor:
    """``dependencies`` in the TOML of a ``# /// script`` block; a block that nothing closes ends
    with its comment. Elsewhere in comments nothing is read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        header = _header(text) if _OPENING in text else None
        if header is None:
            return
        for ref in PyprojectExtractor().find(header.value, 0):
            span = header.span(ref.start, ref.end)
            if span is not None:
                yield replace(ref, start=span[0] + offset, end=span[1] + offset)


def has_header(text: str) -> bool:
    """True for a script with a header, which is Python whatever else it looks like."""
    return _OPENING in text and _header(text) is not None


def _header(text: str) -> Placed | None:
    """The TOML of the first header, comment marks removed; None where there is none."""
    value: list[str] = []
    at: list[int] = []
    position, within = 0, False
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        if not within:
            within = line.rstrip() == _OPENING
            continue
        if not line.startswith("#") or line.rstrip() == _CLOSING:
            break
        lead = 2 if line.startswith("# ") else 1
        value.append(line[lead:])
        at.extend(range(start + lead, position))
    return Placed("".join(value), tuple(at)) if within else None
