"""Lock files: what each tool has resolved, with where it comes from.

Read by the parsers of their formats, all or nothing: a lock file is written by a program, so one
that is broken, or that writes a name in a way that no tool does, is refused as a whole rather than
read in part. What the text says of an entry's place is kept: another index than the usual one
(`NamedIndex`), or a repository, path or address (``Flag.ELSEWHERE``). The project itself is no ref.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from ghostbust.extractors.interface import Placed, plain
from ghostbust.extractors.literals import Quoted, read_object, toml_entries, yaml_entries
from ghostbust.extractors.names import canonical
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind

# --- locked
# One entry of a lock file.


@dataclass(frozen=True, slots=True)
class Locked:
    """A package that a lock file names."""

    name: Placed
    """as the registry knows it, where the entry has an alias"""
    place: str = ""
    """the index, or the place elsewhere, that the entry names; empty where it names none"""
    is_elsewhere: bool = False
    """True where it comes from a repository, a path or an address: from no index"""


def checked(found: list[Locked], text: str) -> list[Locked]:
    """The entries. Raises ValueError for a name that ``text`` doesn't hold as it is."""
    for one in found:
        span = one.name.span(0, len(one.name.value))
        if span is None or text[slice(*span)] != one.name.value:
            raise ValueError(f"it has escapes in the name {one.name.value!r}, which no tool writes")
    return found


# --- lock_json
# ``package-lock.json`` of npm 5 to 11 (versions 1, 2 and 3) and ``Pipfile.lock``.
#
# The values are those of the JSON parser; the tolerant reader of literals says where names stand.
#  A
# file in which the two don't find the same names is refused.
#
# Sources: "package-lock.json" in npm's documentation; pipenv's ``lockfile`` module.

_OTHER_ADDRESSES = (
    "git",
    "github:",
    "gitlab:",
    "bitbucket:",
    "gist:",
    "file:",
    "link:",
    "workspace:",
)
_INSIDE = "node_modules/"


@dataclass(slots=True)
class _NpmEntry:
    """An entry: its key, and what stands under it as text."""

    key: Placed
    said: dict[str, Placed] = field(default_factory=dict)


_Packages = dict[tuple[int, ...], _NpmEntry]


def read_package_lock(text: str) -> list[Locked]:
    """The packages of npm's lock file, nested ones included. Raises ValueError."""
    data = _object(text)
    packages, nested = _npm_packages(text)
    found = [one for package in packages if (one := _of_folder(package.key, package.said))]
    found += [_of_name(package.key, package.said) for package in nested]
    wanted = set(_folder_names(data.get("packages"))) | set(_nested_names(data))
    return _compared(found, wanted, text)


def _npm_packages(text: str) -> tuple[Iterable[_NpmEntry], Iterable[_NpmEntry]]:
    """(entries of ``packages``, entries of ``dependencies`` on every level)."""
    by_folder: _Packages = {}
    by_name: _Packages = {}
    for entry in read_object(text):
        path, scalar = entry.path, plain(entry.scalar, 0, len(entry.scalar))
        value = entry.value.placed() if entry.value else scalar
        if len(path) > 1 and path[0].value == "packages":
            _note(by_folder, path[1], path[2:], value)
        at = 0
        while len(path) > at + 1 and path[at].value == "dependencies":
            _note(by_name, path[at + 1], path[at + 2 :], value)
            at += 2
    return by_folder.values(), by_name.values()


def _note(packages: _Packages, key: Placed, rest: tuple[Placed, ...], value: Placed) -> None:
    package = packages.setdefault(tuple(key.at[:1]), _NpmEntry(key))
    if len(rest) == 1:
        package.said[rest[0].value] = value


def _of_folder(key: Placed, said: Mapping[str, Placed]) -> Locked | None:
    """The package in a folder ``node_modules/x``; None for the project and its workspaces."""
    if _INSIDE not in key.value:
        return None
    start = key.value.rindex(_INSIDE) + len(_INSIDE)
    name = said.get("name") or key.part(start, len(key.value))
    place = said["resolved"].value if "resolved" in said else ""
    if "link" in said and said["link"].value == "true":
        return Locked(name, f"link {place}", is_elsewhere=True)
    return Locked(name, place, place.startswith(_OTHER_ADDRESSES))


def _of_name(key: Placed, said: Mapping[str, Placed]) -> Locked:
    """The package of an entry of version 1, where the version may be an alias or an address."""
    version = said.get("version")
    if version is not None and version.value.startswith("npm:"):
        name = _unversioned(version.value.removeprefix("npm:"))
        key = version.part(len("npm:"), len("npm:") + len(name))
    elif version is not None and (
        version.value.startswith(_OTHER_ADDRESSES) or "/" in version.value
    ):
        return Locked(key, version.value, is_elsewhere=True)
    return Locked(key, said["resolved"].value if "resolved" in said else "")


def _unversioned(spec: str) -> str:
    """The name of ``name@1.0.0``, which may have a scope."""
    end = spec.find("@", 1)
    return spec if end < 0 else spec[:end]


def _folder_names(packages: object) -> Iterator[str]:
    """The names under ``packages``, by the JSON parser's values."""
    for key, said in _items(packages):
        if _INSIDE in key:
            name = said.get("name")
            yield name if isinstance(name, str) else key.rpartition(_INSIDE)[2]


def _nested_names(data: Mapping[str, Any]) -> Iterator[str]:
    """The names under ``dependencies`` on every level, by the JSON parser's values."""
    waiting = [data]
    while waiting:
        for key, said in _items(waiting.pop().get("dependencies")):
            version = str(said.get("version", ""))
            is_alias = version.startswith("npm:")
            yield _unversioned(version.removeprefix("npm:")) if is_alias else key
            waiting.append(said)


def read_pipfile_lock(text: str) -> list[Locked]:
    """The packages of all categories of pipenv's lock file. Raises ValueError."""
    data = _object(text)
    packages: _Packages = {}
    for entry in read_object(text):
        path, scalar = entry.path, plain(entry.scalar, 0, len(entry.scalar))
        if len(path) > 1 and path[0].value != "_meta":
            _note(packages, path[1], path[2:], entry.value.placed() if entry.value else scalar)
    sources = _sources(data)
    found = []
    for package in packages.values():
        said = {key: value.value for key, value in package.said.items()}
        away = [f"{word} {said[word]}" for word in ("git", "path", "file") if word in said]
        index = said.get("index", next(iter(sources), ""))
        place = away[0] if away else sources.get(index, index)
        found.append(Locked(package.key, place, bool(away)))
    wanted = {name for category, held in data.items() if category != "_meta"
              for name, _ in _items(held)}  # fmt: skip
    return _compared(found, wanted, text)


def _sources(data: Mapping[str, Any]) -> dict[str, str]:
    """The addresses of the file's sources by their names, the default one first."""
    meta = data.get("_meta")
    listed = meta.get("sources") if isinstance(meta, dict) else None
    sources = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {str(one.get("name")): str(one.get("url", "")) for one in sources}


def _object(text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text.removeprefix("\ufeff"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    return data


def _items(held: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(held, dict):
        yield from ((key, said if isinstance(said, dict) else {}) for key, said in held.items())


def _compared(found: list[Locked], wanted: set[str], text: str) -> list[Locked]:
    """What was found. Raises ValueError where the JSON parser knows names that it lacks."""
    if missing := wanted - {one.name.value for one in found}:
        raise ValueError(f"it names {min(missing)!r} in a way that no tool writes")
    return checked(found, text)


# --- lock_toml
# ``uv.lock``, ``poetry.lock``, ``pdm.lock`` and ``pylock.toml`` (PEP 751).
#
# All are lists of tables with a ``name``. The values are those of the TOML parser; the tolerant
# reader says where names stand, and must find the same ones in the same order.

_LISTS = ("package", "packages")  # of PEP 751: the second
_OTHER_SOURCES = (
    "git",
    "vcs",
    "url",
    "archive",
    "path",
    "directory",
    "editable",
    "virtual",
    "file",
)


def read_toml_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    found: list[Locked] = []
    for key in _LISTS:
        tables = data.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            raise ValueError(f"its {key!r} is no list of tables")
        names = _placed_names(text, key)
        if [one.get("name") for one in tables] != [name.value for name in names]:
            raise ValueError("it names packages in a way that no tool writes")
        for name, table in zip(names, tables, strict=True):
            place, is_elsewhere = _origin(table)
            if place not in ("editable .", "virtual ."):
                found.append(Locked(name, place, is_elsewhere))
    return checked(found, text)


def _placed_names(text: str, key: str) -> list[Placed]:
    return [
        entry.value.placed()
        for entry in toml_entries(text)
        if entry.value and tuple(part.value for part in entry.path) == (key, "name")
    ]


def _origin(table: Mapping[str, Any]) -> tuple[str, bool]:
    """(index or other place of a package, whether that is no index); empty for the usual one.

    uv says it under ``source``, poetry there with a ``type``, pylock and pdm beside the name.
    """
    source = table.get("source")
    said: Mapping[str, Any] = source if isinstance(source, dict) else table
    if "type" in said and said is not table:  # poetry: "legacy" is an index
        return str(said.get("url", "")), said["type"] != "legacy"
    for key in ("registry", "index"):
        if isinstance(said.get(key), str):
            return str(said[key]), False
    for key in _OTHER_SOURCES:
        if key in said and not (key == "file" and said is table):
            value = said[key]
            value = value.get("url", value.get("path", "")) if isinstance(value, dict) else value
            return f"{key} {value}", True
    return "", False


# --- lock_yaml
# ``pnpm-lock.yaml`` of pnpm 3 to 11 (lock file versions 5, 6 and 9).
#
# Keys of ``packages`` are ``/name/1.0.0`` in version 5, ``/name@1.0.0`` in 6, ``name@1.0.0`` in 9;
# what doesn't come from the default registry begins with a host or has an address for its version.
# All that ``importers`` and ``snapshots`` name is there too, so they aren't read.
#
# Source: pnpm's ``dependency-path`` package.


@dataclass(slots=True)
class _PnpmEntry:
    key: Placed
    said: dict[str, Placed] = field(default_factory=dict)
    """what stands under the key and under its ``resolution``"""


def read_pnpm_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    packages: dict[tuple[int, ...], _PnpmEntry] = {}
    version = ""
    for entry in yaml_entries(text):
        path = entry.path
        if [part.value for part in path] == ["lockfileVersion"]:
            version = entry.value.value
        if len(path) < 2 or path[0].value != "packages":
            continue
        package = packages.setdefault(tuple(path[1].at[:1]), _PnpmEntry(path[1]))
        rest = [part.value for part in path[2:] if part.value != "resolution"]
        if len(rest) == 1:
            package.said[rest[0]] = entry.value
    if not version:
        raise ValueError("it has no lockfileVersion")
    is_old = version.partition(".")[0] in ("5", "4", "3")
    found = [_locked(package.key, package.said, is_old=is_old) for package in packages.values()]
    return checked([one for one in found if one is not None], text)


def _locked(key: Placed, said: Mapping[str, Placed], *, is_old: bool) -> Locked | None:
    """The package of a key; None for one from elsewhere that has no name."""
    start = 1 if key.value.startswith("/") else 0
    host = "" if start else _host(key.value)
    start += len(host)
    length, version = _cut(key.value[start:], is_old=is_old)
    name = key.part(start, start + length) if length else None
    if not version[:1].isdigit() or {"repo", "directory"} & said.keys():
        place = version if name and not host else key.value
        name = said.get("name") or (None if host else name)
        return Locked(name, place, is_elsewhere=True) if name else None
    return Locked(name, said["tarball"].value if "tarball" in said else host) if name else None


def _host(key: str) -> str:
    """The host, with its slash, that stands in front of a name in versions 5 and 6; or nothing."""
    first, slash, _ = key.partition("/")
    return f"{first}/" if slash and "." in first and "@" not in first else ""


def _cut(body: str, *, is_old: bool) -> tuple[int, str]:
    """(length of the name, version or address behind it); 0 where there is no name."""
    is_scoped = body.startswith("@")
    end = body.find("/", body.find("/") + 1 if is_scoped else 0) if is_old else body.find("@", 1)
    if end <= 0 or ":" in body[:end]:
        return 0, ""
    return end, body[end + 1 :]


# --- lock_yarn
# ``yarn.lock``: the format of Yarn 1, and the YAML of Yarn 2 and later.
#
# Sources: ``@yarnpkg/lockfile`` (Yarn 1), ``@yarnpkg/core``'s ``Project`` and ``structUtils``.

_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|$)")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_BARE = re.compile(r"[^\s:,\"]+")
_ADDRESS = re.compile(r"[:/]")  # a range with one of them is no version: an address, a path
_ARCHIVE = "::__archiveUrl="


def read_yarn_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    is_yaml = re.search(r"^__metadata:", text, re.M) is not None
    return checked(list(_of_yaml(text) if is_yaml else _of_yarn_1(text)), text)


@dataclass(slots=True)
class _Entry:
    patterns: Sequence[Placed]
    resolved: str = ""


def _of_yarn_1(text: str) -> Iterator[Locked]:
    entries: list[_Entry] = []
    for number, found in enumerate(_LINE.finditer(text), start=1):
        line = found[1]
        start, end = found.start(1) + (found.start() == 0 and line[:1] == "\ufeff"), found.end(1)
        bare = line.strip("\ufeff ")
        if not bare or bare.startswith("#"):
            continue
        if not line.startswith((" ", "\t")):
            entries.append(_Entry(_patterns(text, start, end, number)))
        elif not entries:
            raise ValueError(f"line {number} belongs to no entry")
        elif line.startswith("  resolved "):
            entries[-1].resolved = bare.partition(" ")[2].strip('"')
    for entry in entries:
        seen: set[str] = set()
        for pattern in entry.patterns:
            one = _of_pattern(pattern, entry.resolved.partition("#")[0])
            if one.name.value not in seen:
                yield one
            seen.add(one.name.value)


def _patterns(text: str, start: int, end: int, number: int) -> list[Placed]:
    """What an entry's first line names: ``a@^1, "b@2":``. Raises ValueError."""
    patterns: list[Placed] = []
    while True:
        if quoted := _QUOTED.match(text, start, end):
            patterns.append(Quoted(text, start + 1, quoted.end() - 1, True).placed())
        elif not (quoted := _BARE.match(text, start, end)):
            break
        else:
            patterns.append(plain(text, start, quoted.end()))
        start = quoted.end()
        if text.startswith(",", start):
            start += 1 + (text[start + 1 : start + 2] == " ")
        elif text[start:end].rstrip() == ":":
            return patterns
        else:
            break
    raise ValueError(f"line {number} is none of a lock file of Yarn")


def _of_pattern(pattern: Placed, resolved: str) -> Locked:
    """The package that ``name@range`` stands for; of ``alias@npm:name@range`` the inner one."""
    name, wanted = _split(pattern)
    if wanted.value.startswith("npm:"):
        name, wanted = _split(wanted.part(len("npm:"), len(wanted.value)))
    if _ADDRESS.search(wanted.value):
        return Locked(name, wanted.value, is_elsewhere=True)
    return Locked(name, resolved)


def _split(pattern: Placed) -> tuple[Placed, Placed]:
    """(name, what stands behind its ``@``)."""
    at = pattern.value.find("@", 1)
    at = len(pattern.value) if at < 0 else at
    return pattern.part(0, at), pattern.part(at + 1, len(pattern.value))


def _of_yaml(text: str) -> Iterator[Locked]:
    names: dict[str, Placed] = {}
    for entry in yaml_entries(text):
        path = [part.value for part in entry.path]
        if path and path[0] != "__metadata":
            names.setdefault(path[0], entry.path[0])
        if len(path) == 2 and path[1] == "resolution" and path[0] in names:
            names[path[0]] = entry.value
    for pattern in names.values():
        name, place = _split(pattern)
        kind = place.value.partition(":")[0]
        if kind in ("npm", "patch"):
            _, is_archived, address = place.value.partition(_ARCHIVE)
            yield Locked(name, unquote(address) if is_archived else "")
        elif place.value != "workspace:.":
            yield Locked(name, place.value, is_elsewhere=True)


# --- lock_files
# Lock files: what each tool has resolved, with where it comes from.
#
# Read by the parsers of their formats, all or nothing: a lock file is written by a program, so one
# that is broken, or that writes a name in a way that no tool does, is refused as a whole rather
# than
# read in part. What the text says of an entry's place is kept: another index than the usual one
# (`NamedIndex`), or a repository, path or address (``Flag.ELSEWHERE``). The project itself is no
# ref.


@dataclass(frozen=True, slots=True)
class LockExtractor:
    """The packages that one kind of lock file names; none of a file that isn't sound."""

    ecosystem: Ecosystem
    read: Callable[[str], list[Locked]]
    """its entries; raises ValueError, with why, for a file that isn't sound"""

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        try:
            return [ref for one in self.read(text) if (ref := self._ref(one, offset))]
        except ValueError:
            return []

    def _ref(self, one: Locked, offset: int) -> PackageRef | None:
        name = one.name.value
        span = one.name.span(0, len(name))
        if span is None:
            return None
        return PackageRef(
            self.ecosystem, RefKind.MANIFEST, name, span[0] + offset, span[1] + offset,
            canonical(self.ecosystem, name),
            flags=frozenset({Flag.ELSEWHERE} if one.is_elsewhere else ()),
            indexes=(NamedIndex(one.place, replaces=True),) if one.place else (),
        )  # fmt: skip


_PACKAGE_LOCK = LockExtractor(Ecosystem.NPM, read_package_lock)
_TOML = LockExtractor(Ecosystem.PYPI, read_toml_lock)
LOCKS: Mapping[str, LockExtractor] = MappingProxyType(
    {
        "package-lock.json": _PACKAGE_LOCK,
        "npm-shrinkwrap.json": _PACKAGE_LOCK,
        "pnpm-lock.yaml": LockExtractor(Ecosystem.NPM, read_pnpm_lock),
        "yarn.lock": LockExtractor(Ecosystem.NPM, read_yarn_lock),
        "uv.lock": _TOML,
        "poetry.lock": _TOML,
        "pdm.lock": _TOML,
        "pylock.toml": _TOML,
        "pipfile.lock": LockExtractor(Ecosystem.PYPI, read_pipfile_lock),
    }
)
"""the readers by the files' names, in lower case"""


def lock_of(path: str) -> str:
    """The key in ``LOCKS`` of a file; empty for no lock file. ``pylock.<name>.toml`` is one."""
    name = path.replace("\\", "/").lower().rpartition("/")[2]
    if name.startswith("pylock.") and name.endswith(".toml") and name.count(".") <= 2:
        return "pylock.toml"
    return name if name in LOCKS else ""
