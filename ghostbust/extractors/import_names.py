"""Which distribution provides an imported module, from two tables.

``ghostbust/data/import_names.tsv`` is written by hand, ``import_facts.tsv`` made by
``ghostbust registry imports`` of wheels and installed metadata; the first comes before the second.
They hold the cases in which the two names differ, and namespaces that many distributions share.
A module that is in neither usually has a distribution of its own name, but that is a guess which
only a registry can confirm.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


def distribution_of(dotted_import: str) -> str | None:
    """Canonical distribution name of a dotted module by its longest prefix in the table.

    None where the table has no entry, or where that prefix is a namespace that belongs to no
    single distribution (``google.cloud``): ``is_namespace`` tells the two apart.
    """
    return _entry(dotted_import) or None


def is_namespace(dotted_import: str) -> bool:
    """True where the longest prefix in the table is a namespace that many distributions share."""
    return _entry(dotted_import) == ""


def _entry(dotted: str) -> str | None:
    parts = dotted.split(".", _deepest())
    table = known_modules()
    for count in range(min(len(parts), _deepest()), 0, -1):
        found = table.get(".".join(parts[:count]))
        if found is not None:
            return found
    return None


@cache
def known_modules() -> Mapping[str, str]:
    """Distribution by dotted import name; the empty text marks a shared namespace."""
    found: dict[str, str] = {}
    for name in ("import_facts.tsv", "import_names.tsv"):
        text = files("ghostbust.data").joinpath(name).read_text(encoding="utf-8")
        rows = (line.split("\t") for line in text.splitlines() if line and line[0] != "#")
        found |= {row[0]: row[1] for row in rows}
    return MappingProxyType(found)


@cache
def _deepest() -> int:
    """Parts of the longest name in the table: no longer prefix can stand there."""
    return max(name.count(".") for name in known_modules()) + 1
