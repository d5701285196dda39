"""``pnpm-lock.yaml`` of pnpm 3 to 11 (lock file versions 5, 6 and 9).

Keys of ``packages`` are ``/name/1.0.0`` in version 5, ``/name@1.0.0`` in 6, ``name@1.0.0`` in 9;
what doesn't come from the default registry begins with a host or has an address for its version.
All that ``importers`` and ``snapshots`` name is there too, so they aren't read.

Source: pnpm's ``dependency-path`` package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ghostbust.extractors.locked import Locked, checked
from ghostbust.extractors.placed import Placed
from ghostbust.extractors.yaml_entries import yaml_entries


@dataclass(slots=True)
class _Package:
    key: Placed
    said: dict[str, Placed] = field(default_factory=dict)
    """what stands under the key and under its ``resolution``"""


def read_pnpm_lock(text: str) -> list[Locked]:
    """The packages of the lock file. Raises ValueError."""
    packages: dict[tuple[int, ...], _Package] = {}
    version = ""
    for entry in yaml_entries(text):
        path = entry.path
        if [part.value for part in path] == ["lockfileVersion"]:
            version = entry.value.value
        if len(path) < 2 or path[0].value != "packages":
            continue
        package = packages.setdefault(tuple(path[1].at[:1]), _Package(path[1]))
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
