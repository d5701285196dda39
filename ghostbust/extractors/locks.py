"""Lock files: what each tool has resolved, with where it comes from.

Read by the parsers of their formats, all or nothing: a lock file is written by a program, so one
that is broken, or that writes a name in a way that no tool does, is refused as a whole rather than
read in part. These parsers give no places, so the tolerant readers of ``literals`` say where each
name stands, and a file in which the two don't find the same names is refused, too. What the text
says of an entry's place is kept: another index than the usual one (`NamedIndex`), or a repository,
path or address (``Flag.ELSEWHERE``). The project itself is no ref.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from ghostbust.extractors.interface import Placed, plain
from ghostbust.extractors.literals import StringLiteral, read_object, toml_entries, yaml_entries
from ghostbust.extractors.manifests import name_ref
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef


@dataclass(frozen=True, slots=True)
class Locked:
    """A package that a lock file names."""

    name: Placed
    """as the registry knows it, where the entry has an alias"""
    place: str = ""
    """the index, or the place elsewhere, that the entry names; empty where it names none"""
    is_elsewhere: bool = False
    """True where it comes from a repository, a path or an address: from no index"""


@dataclass(frozen=True, slots=True)
class LockFormat:
    """One format of lock files."""

    ecosystem: Ecosystem
    read: Callable[[str], list[Locked]]
    """its entries; raises ValueError, with why, for a file that isn't sound"""

    def refs(self, text: str, offset: int) -> Iterator[PackageRef]:
        """MANIFEST refs; none of a file that isn't sound."""
        try:
            found = self.read(text)
        except ValueError:
            return
        for one in found:
            flags = frozenset({Flag.ELSEWHERE} if one.is_elsewhere else ())
            indexes = (NamedIndex(one.place, replaces=True),) if one.place else ()
            for ref in name_ref(one.name, self.ecosystem, offset, flags):
                yield replace(ref, indexes=indexes)


@dataclass(slots=True)
class _Entry:
    """A key that stands for a package, and what the file says under it, as text."""

    key: Placed
    said: dict[str, Placed] = field(default_factory=dict)

    def note(self, rest: Sequence[Placed], value: Placed) -> None:
        """Adds a value that ``rest`` leads to, unless it lies deeper."""
        if len(rest) == 1:
            self.said[rest[0].value] = value

    def text(self, word: str) -> str:
        """The value under a word; empty where there is none."""
        return self.said[word].value if word in self.said else ""


class _Entries(dict[tuple[int, ...], _Entry]):
    """The entries of a file by the places of their keys: two of the same name are two."""

    def of(self, key: Placed) -> _Entry:
        """The entry of a key, which is new at first."""
        return self.setdefault(tuple(key.at[:1]), _Entry(key))


def _checked(found: list[Locked], text: str) -> list[Locked]:
    """The entries. Raises ValueError for a name that ``text`` doesn't hold as it is."""
    for one in found:
        span = one.name.span(0, len(one.name.value))
        if span is None or text[slice(*span)] != one.name.value:
            raise ValueError(f"it has escapes in the name {one.name.value!r}, which no tool writes")
    return found


# ``package-lock.json`` of npm 5 to 11 (versions 1, 2 and 3) and ``Pipfile.lock``. Sources:
# "package-lock.json" in npm's documentation; pipenv's ``lockfile`` module.

_OTHER_ADDRESSES = (
    "git", "github:", "gitlab:", "bitbucket:", "gist:", "file:", "link:", "workspace:",
)  # fmt: skip
_INSIDE = "node_modules/"


def read_package_lock(text: str) -> list[Locked]:
    """The packages of npm's lock file, nested ones included. Raises ValueError."""
    data = _object(text)
    folders, names = _Entries(), _Entries()  # under `packages`, and under all `dependencies`
    for entry in read_object(text):
        path, scalar = entry.path, plain(entry.scalar, 0, len(entry.scalar))
        value = entry.value.placed() if entry.value else scalar
        if len(path) > 1 and path[0].value == "packages":
            folders.of(path[1]).note(path[2:], value)
        at = 0
        while len(path) > at + 1 and path[at].value == "dependencies":
            names.of(path[at + 1]).note(path[at + 2 :], value)
            at += 2
    found = [_of_folder(package) for package in folders.values() if _INSIDE in package.key.value]
    found += [_of_name(package) for package in names.values()]
    wanted = set(_folder_names(data.get("packages"))) | set(_nested_names(data))
    return _compared(found, wanted, text)


def _of_folder(entry: _Entry) -> Locked:
    """The package in a folder ``node_modules/x``, which no project and no workspace has."""
    key = entry.key
    start = key.value.rindex(_INSIDE) + len(_INSIDE)
    name = entry.said.get("name") or key.part(start, len(key.value))
    place = entry.text("resolved")
    if entry.text("link") == "true":
        return Locked(name, f"link {place}", is_elsewhere=True)
    return Locked(name, place, place.startswith(_OTHER_ADDRESSES))


def _of_name(entry: _Entry) -> Locked:
    """The package of an entry of version 1, where the version may be an alias or an address."""
    key, version = entry.key, entry.text("version")
    if version.startswith("npm:"):
        name = _unversioned(version.removeprefix("npm:"))
        key = entry.said["version"].part(len("npm:"), len("npm:") + len(name))
    elif version.startswith(_OTHER_ADDRESSES) or "/" in version:
        return Locked(key, version, is_elsewhere=True)
    return Locked(key, entry.text("resolved"))


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
    packages = _Entries()
    for entry in read_object(text):
        path, scalar = entry.path, plain(entry.scalar, 0, len(entry.scalar))
        if len(path) > 1 and path[0].value != "_meta":
            value = entry.value.placed() if entry.value else scalar
            packages.of(path[1]).note(path[2:], value)
    sources = _sources(data)
    found = []
    for package in packages.values():
        away = [f"{word} {package.text(word)}" for word in ("git", "path", "file")
                if word in package.said]  # fmt: skip
        index = package.text("index") if "index" in package.said else next(iter(sources), "")
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
    return _checked(found, text)


# ``uv.lock``, ``poetry.lock``, ``pdm.lock`` and ``pylock.toml`` (PEP 751): lists of tables with a
# ``name``.

_LISTS = ("package", "packages")  # of PEP 751: the second
_OTHER_SOURCES = (
    "git", "vcs", "url", "archive", "path", "directory", "editable", "virtual", "file",
)  # fmt: skip


def read_toml_lock(
    text: str, origin: Callable[[Mapping[str, Any]], tuple[str, bool]] | None = None
) -> list[Locked]:
    """The packages of the lock file. Raises ValueError.

    ``origin``: what a table says of where its package comes from, if not as for Python.
    """
    try:
        data = tomllib.loads(text.removeprefix("\ufeff"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    entries = list(toml_entries(text))
    found: list[Locked] = []
    for key in _LISTS:
        tables = data.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            raise ValueError(f"its {key!r} is no list of tables")
        names = [one.value.placed() for one in entries if one.value and one.keys == (key, "name")]
        if [one.get("name") for one in tables] != [name.value for name in names]:
            raise ValueError("it names packages in a way that no tool writes")
        for name, table in zip(names, tables, strict=True):
            place, is_elsewhere = (origin or _origin)(table)
            if place not in ("editable .", "virtual ."):
                found.append(Locked(name, place, is_elsewhere))
    return _checked(found, text)


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


# ``Cargo.lock``: the same lists of tables. What has no ``source`` is a crate of the project itself.

_PUBLIC = "/rust-lang/crates"
"""in the address of the public index in git, which cargo writes for the sparse one, too"""


def read_cargo_lock(text: str) -> list[Locked]:
    """The crates of cargo's lock file that the project doesn't hold. Raises ValueError."""
    return [one for one in read_toml_lock(text, _crate_origin) if one.place != _OWN]


_OWN = "path ."


def _crate_origin(table: Mapping[str, Any]) -> tuple[str, bool]:
    kind, _, address = str(table.get("source", "")).partition("+")
    if not kind:
        return _OWN, True
    if kind == "registry" and _PUBLIC in address:
        return "", False
    return f"{kind}+{address}", kind not in ("registry", "sparse")


# ``pnpm-lock.yaml`` of pnpm 3 to 11 (lock file versions 5, 6 and 9). Source: pnpm's
# ``dependency-path`` package.
#
# Keys of ``packages`` are ``/name/1.0.0`` in version 5, ``/name@1.0.0`` in 6, ``name@1.0.0`` in 9;
# what doesn't come from the default registry begins with a host or has an address for its version.
# All that ``importers`` and ``snapshots`` name is there too, so they aren't read.


def read_pnpm_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    packages = _Entries()
    version = ""
    for path, value in yaml_entries(text):
        if [part.value for part in path] == ["lockfileVersion"]:
            version = value.value
        if len(path) > 1 and path[0].value == "packages":
            rest = [part for part in path[2:] if part.value != "resolution"]
            packages.of(path[1]).note(rest, value)
    if not version:
        raise ValueError("it has no lockfileVersion")
    is_old = version.partition(".")[0] in ("5", "4", "3")
    found = [_of_key(package, is_old=is_old) for package in packages.values()]
    return _checked([one for one in found if one is not None], text)


def _of_key(entry: _Entry, *, is_old: bool) -> Locked | None:
    """The package of a key; None for one from elsewhere that has no name."""
    key = entry.key
    start = 1 if key.value.startswith("/") else 0
    host = "" if start else _host(key.value)
    start += len(host)
    length, version = _cut(key.value[start:], is_old=is_old)
    name = key.part(start, start + length) if length else None
    if not version[:1].isdigit() or {"repo", "directory"} & entry.said.keys():
        place = version if name and not host else key.value
        name = entry.said.get("name") or (None if host else name)
        return Locked(name, place, is_elsewhere=True) if name else None
    place = entry.text("tarball") if "tarball" in entry.said else host
    return Locked(name, place) if name else None


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


# ``yarn.lock``: the format of Yarn 1, and the YAML of Yarn 2 and later. Sources:
# ``@yarnpkg/lockfile`` of Yarn 1; ``Project`` and ``structUtils`` of ``@yarnpkg/core``.

_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|$)")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_BARE = re.compile(r"[^\s:,\"]+")
_ADDRESS = re.compile(r"[:/]")  # a range with one of them is no version: an address, a path
_ARCHIVE = "::__archiveUrl="


def read_yarn_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    is_yaml = re.search(r"^__metadata:", text, re.M) is not None
    return _checked(list(_of_yaml(text) if is_yaml else _of_yarn_1(text)), text)


def _of_yarn_1(text: str) -> Iterator[Locked]:
    entries: list[tuple[list[Placed], str]] = []  # (patterns, address) of each
    for number, found in enumerate(_LINE.finditer(text), start=1):
        line = found[1]
        start, end = found.start(1) + (found.start() == 0 and line[:1] == "\ufeff"), found.end(1)
        bare = line.strip("\ufeff ")
        if not bare or bare.startswith("#"):
            continue
        if not line.startswith((" ", "\t")):
            entries.append((_patterns(text, start, end, number), ""))
        elif not entries:
            raise ValueError(f"line {number} belongs to no entry")
        elif line.startswith("  resolved "):
            address = bare.partition(" ")[2].strip('"').partition("#")[0]
            entries[-1] = (entries[-1][0], address)
    for patterns, address in entries:
        packages: dict[str, Locked] = {}
        for pattern in patterns:  # one version may satisfy several ranges of a name
            one = _of_pattern(pattern, address)
            packages.setdefault(one.name.value, one)
        yield from packages.values()


def _patterns(text: str, start: int, end: int, number: int) -> list[Placed]:
    """What an entry's first line names: ``a@^1, "b@2":``. Raises ValueError."""
    patterns: list[Placed] = []
    while True:
        if quoted := _QUOTED.match(text, start, end):
            patterns.append(StringLiteral(text, start + 1, quoted.end() - 1, True).placed())
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
    for path, value in yaml_entries(text):
        keys = [part.value for part in path]
        if keys and keys[0] != "__metadata":
            names.setdefault(keys[0], path[0])
        if len(keys) == 2 and keys[1] == "resolution" and keys[0] in names:
            names[keys[0]] = value
    for pattern in names.values():
        name, place = _split(pattern)
        kind = place.value.partition(":")[0]
        if kind in ("npm", "patch"):
            _, is_archived, address = place.value.partition(_ARCHIVE)
            yield Locked(name, unquote(address) if is_archived else "")
        elif place.value != "workspace:.":
            yield Locked(name, place.value, is_elsewhere=True)


_PACKAGE_LOCK = LockFormat(Ecosystem.NPM, read_package_lock)
_TOML = LockFormat(Ecosystem.PYPI, read_toml_lock)
LOCKS: Mapping[str, LockFormat] = MappingProxyType(
    {
        "package-lock.json": _PACKAGE_LOCK,
        "npm-shrinkwrap.json": _PACKAGE_LOCK,
        "pnpm-lock.yaml": LockFormat(Ecosystem.NPM, read_pnpm_lock),
        "yarn.lock": LockFormat(Ecosystem.NPM, read_yarn_lock),
        "uv.lock": _TOML,
        "poetry.lock": _TOML,
        "pdm.lock": _TOML,
        "pylock.toml": _TOML,
        "cargo.lock": LockFormat(Ecosystem.CARGO, read_cargo_lock),
        "pipfile.lock": LockFormat(Ecosystem.PYPI, read_pipfile_lock),
    }
)
"""the readers by the files' names, in lower case"""


def lock_of(path: str) -> str:
    """The key in ``LOCKS`` of a file; empty for no lock file. ``pylock.<name>.toml`` is one."""
    name = path.replace("\\", "/").lower().rpartition("/")[2]
    if name.startswith("pylock.") and name.endswith(".toml") and name.count(".") <= 2:
        return "pylock.toml"
    return name if name in LOCKS else ""
