"""Which distribution provides an imported module, from the tables of ``known_modules``.

They hold the cases in which the two names differ, namespaces that many distributions share, and
modules that none provides since they come with a program or a platform.
A module that is in neither usually has a distribution of its own name, but that is a guess which
only a registry can confirm.
"""

from __future__ import annotations

from functools import cache

from ghostbust.known_modules import known_modules


def distribution_of(dotted_import: str) -> str | None:
    """Canonical distribution name of a dotted module by its longest prefix in the table.

    None where the table has no entry, or where that prefix belongs to no single distribution
    (``google.cloud``, ``kaggle_secrets``): ``is_namespace`` tells the two apart.
    """
    return _entry(dotted_import) or None


def is_namespace(dotted_import: str) -> bool:
    """True where the longest prefix in the table is of many distributions, or of none."""
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
def _deepest() -> int:
    """Parts of the longest name in the table: no longer prefix can stand there."""
    return max(name.count(".") for name in known_modules()) + 1
