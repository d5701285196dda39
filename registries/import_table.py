"""From facts about many distributions to the table by which imports are mapped.

A row says which distribution to look up for a module. Left out is what needs no row: a module
called as its distribution, a built-in one, and one whose own name is a popular distribution's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from datetime import date
from pathlib import Path

from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.builtins import is_builtin
from ghostbust.registries.import_facts import ImportFact
from ghostbust.registries.names import canonical_name
from ghostbust.registries.snapshot import Snapshot

POPULAR = 15_000
"""how many of the most downloaded names count as popular"""
HEADER = (
    "# import name, distribution (empty for a namespace that many share), version and kind of the"
    " source, day it was read, note.\n"
    "# Made by `ghostbust registry imports`; what import_names.tsv says comes before it.\n"
)
_UNRANKED = 10**9


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row of the table."""

    module: str
    distribution: str
    """canonical; empty for a namespace that many distributions share"""
    version: str
    """of the distribution that was read; empty for a namespace"""
    source: str
    """``wheel`` or ``installed``"""
    day: str
    """when it was read, ISO 8601"""
    note: str = ""
    """who else provides the module, if anybody"""


class ImportTable:
    """Makes rows of facts, with the names of one snapshot to settle who is meant."""

    def __init__(self, snapshot: Snapshot, day: date) -> None:
        self._snapshot = snapshot
        self._ranks = {name: n for n, name in enumerate(snapshot.popular(POPULAR), start=1)}
        self._day = day.isoformat()

    def rows(self, facts: Iterable[ImportFact]) -> list[ImportRow]:
        """The rows that the facts need; of several providers the most popular one."""
        claims: dict[str, list[ImportFact]] = defaultdict(list)
        spaces: dict[str, str] = {}
        for fact in facts:
            if is_builtin(Ecosystem.PYPI, fact.module) or not self._is_real(fact.distribution):
                continue
            if fact.shared:
                spaces.setdefault(fact.module, fact.source)
            else:
                claims[fact.module].append(fact)
        for module, rivals in claims.items():
            if _is_shared(module, rivals, claims):
                spaces.setdefault(module, rivals[0].source)
        owned = {module: rivals for module, rivals in claims.items() if module not in spaces}
        rows = [row for module, rivals in owned.items() if (row := self._row(module, rivals))]
        rows += [ImportRow(space, "", "", source, self._day) for space, source in spaces.items()]
        return rows

    def _row(self, module: str, rivals: list[ImportFact]) -> ImportRow | None:
        """The row of a module; None where it needs none."""
        best, *others = sorted(rivals, key=lambda fact: self._order(fact.distribution))
        own = canonical_name(Ecosystem.PYPI, module)
        if "." not in module and (own == best.distribution or own in self._ranks):
            return None
        names = dict.fromkeys(fact.distribution for fact in others)
        note = ", ".join(name for name in names if name != best.distribution)
        return ImportRow(
            module, best.distribution, best.version, best.source, self._day,
            f"also {note}" if note else "",
        )  # fmt: skip

    def _order(self, distribution: str) -> tuple[int, str]:
        return self._ranks.get(distribution, _UNRANKED), distribution

    def _is_real(self, distribution: str) -> bool:
        return self._snapshot.look_up(distribution).verdict is Verdict.REAL


def _is_shared(module: str, rivals: Sequence[ImportFact], claims: Iterable[str]) -> bool:
    """True for a folder without ``__init__.py`` in which several have modules."""
    if any(fact.regular for fact in rivals):
        return False
    several = len({fact.distribution for fact in rivals}) > 1
    return several or any(other.startswith(f"{module}.") for other in claims)


def read_table(path: Path) -> list[ImportRow]:
    """The rows of a table; none where there is no file. Raises UsageError for another file."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: can't be read ({exc})") from exc
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    if any(len(line) != len(fields(ImportRow)) for line in lines):
        raise UsageError(f"{path}: isn't a table that `ghostbust registry imports` made")
    return [ImportRow(*line) for line in lines]


def extended(rows: Iterable[ImportRow], by: Iterable[ImportRow]) -> list[ImportRow]:
    """Both, sorted by module; a module's later row stands, but no namespace over an owner."""
    found = {row.module: row for row in rows}
    for row in by:
        if row.distribution or not found.get(row.module):
            found[row.module] = row
    return sorted(found.values(), key=lambda row: (row.module.lower(), row.module))


def table_text(rows: Iterable[ImportRow]) -> str:
    """The table as the text of its file."""
    return HEADER + "".join("\t".join(astuple(row)) + "\n" for row in rows)
