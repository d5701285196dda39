"""``uv.lock``, ``poetry.lock``, ``pdm.lock`` and ``pylock.toml`` (PEP 751).

All are lists of tables with a ``name``. The values are those of the TOML parser; the tolerant
reader says where names stand, and must find the same ones in the same order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from ghostbust.extractors.locked import Locked, checked
from ghostbust.extractors.placed import Placed
from ghostbust.extractors.toml_entries import toml_entries

_LISTS = ("package", "packages")  # of PEP 751: the second
_ELSEWHERE = ("git", "vcs", "url", "archive", "path", "directory", "editable", "virtual", "file")


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
    for key in _ELSEWHERE:
        if key in said and not (key == "file" and said is table):
            value = said[key]
            value = value.get("url", value.get("path", "")) if isinstance(value, dict) else value
            return f"{key} {value}", True
    return "", False
