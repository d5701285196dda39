"""``package-lock.json`` of npm 5 to 11 (versions 1, 2 and 3) and ``Pipfile.lock``.

The values are those of the JSON parser; the tolerant reader of literals says where names stand. A
file in which the two don't find the same names is refused.

Sources: "package-lock.json" in npm's documentation; pipenv's ``lockfile`` module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ghostbust.extractors.literals import read_object
from ghostbust.extractors.locked import Locked, checked
from ghostbust.extractors.placed import Placed, plain

_ELSEWHERE = ("git", "github:", "gitlab:", "bitbucket:", "gist:", "file:", "link:", "workspace:")
_INSIDE = "node_modules/"


@dataclass(slots=True)
class _Package:
    """An entry: its key, and what stands under it as text."""

    key: Placed
    said: dict[str, Placed] = field(default_factory=dict)


_Packages = dict[tuple[int, ...], _Package]


def read_package_lock(text: str) -> list[Locked]:
    """The packages of npm's lock file, nested ones included. Raises ValueError."""
    data = _object(text)
    packages, nested = _npm_packages(text)
    found = [one for package in packages if (one := _of_folder(package.key, package.said))]
    found += [_of_name(package.key, package.said) for package in nested]
    wanted = set(_folder_names(data.get("packages"))) | set(_nested_names(data))
    return _compared(found, wanted, text)


def _npm_packages(text: str) -> tuple[Iterable[_Package], Iterable[_Package]]:
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
    package = packages.setdefault(tuple(key.at[:1]), _Package(key))
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
    return Locked(name, place, place.startswith(_ELSEWHERE))


def _of_name(key: Placed, said: Mapping[str, Placed]) -> Locked:
    """The package of an entry of version 1, where the version may be an alias or an address."""
    version = said.get("version")
    if version is not None and version.value.startswith("npm:"):
        name = _unversioned(version.value.removeprefix("npm:"))
        key = version.part(len("npm:"), len("npm:") + len(name))
    elif version is not None and (version.value.startswith(_ELSEWHERE) or "/" in version.value):
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
