"""Which distribution provides a module: two tables as one.

``ghostbust/data/import_names.tsv`` is written by hand; ``ghostbust registry imports`` makes
``import_facts.tsv`` from wheels and installed metadata. The first comes before the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType


@cache
def known_modules() -> Mapping[str, str]:
    """Dotted import name to distribution; empty where no single one provides the module."""
    found: dict[str, str] = {}
    for name in ("import_facts.tsv", "import_names.tsv"):
        text = files("ghostbust.data").joinpath(name).read_text(encoding="utf-8")
        rows = (line.split("\t") for line in text.splitlines() if line and line[0] != "#")
        found |= {row[0]: row[1] for row in rows}
    return MappingProxyType(found)
