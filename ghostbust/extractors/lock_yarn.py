"""``yarn.lock``: the format of Yarn 1, and the YAML of Yarn 2 and later.

Sources: ``@yarnpkg/lockfile`` (Yarn 1), ``@yarnpkg/core``'s ``Project`` and ``structUtils``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from ghostbust.extractors.literals import Quoted
from ghostbust.extractors.locked import Locked, checked
from ghostbust.extractors.placed import Placed, plain
from ghostbust.extractors.yaml_entries import yaml_entries

_LINE = re.compile(r"([^\r\n]*)(?:\r\n|\n|\r|$)")
_QUOTED = re.compile(r'"(?:[^"\\\r\n]|\\.)*"')
_BARE = re.compile(r"[^\s:,\"]+")
_ELSEWHERE = re.compile(r"[:/]")  # a range with one of them is no version: an address, a path
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
    if _ELSEWHERE.search(wanted.value):
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
