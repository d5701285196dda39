"""The pool of prompts page by page, and where one stands in its lineage. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from ghostbust.records import Context, Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, decode_time

MOST_RELATIVES: Final = 100
"""prompts of a lineage that `PromptPages.lineage` reads, in each direction"""


class PromptOrder(StrEnum):
    """What the pool is listed by, most or newest first."""

    PAID = "paid"
    """invented names that it elicited"""
    SAMPLES = "samples"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class PromptLine:
    """One prompt, and what it paid."""

    prompt_id: str
    text: str | None
    """None where it wasn't kept"""
    context: Context
    ecosystem: Ecosystem
    family: str
    parent: str | None
    other_parent: str | None
    operator: str | None
    private: bool
    added: datetime
    samples: int
    invented_names: int
    last_sampled: datetime | None
    pruned: datetime | None
    """when it was taken out of the pool; None for most"""


@dataclass(frozen=True, slots=True)
class Relative:
    """A prompt of another's lineage."""

    depth: int
    """generations below that one; negative above it"""
    line: PromptLine


_COLUMNS: Final = (
    "SELECT p.*, coalesce(a.samples, 0) AS samples, a.last AS last, coalesce(n.names, 0) AS names"
    " FROM prompts p"
)
# One prompt's counts, for few prompts; and all prompts' at once, for an order of all.
_ONES: Final = (
    "SELECT p.*, (SELECT count(*) FROM samples s WHERE s.prompt_id = p.id) AS samples,"
    " (SELECT max(s.added) FROM samples s WHERE s.prompt_id = p.id) AS last,"
    " (SELECT count(DISTINCT g.name_id) FROM sightings g WHERE g.prompt_id = p.id) AS names"
    " FROM prompts p"
)
_ALL: Final = (
    " LEFT JOIN (SELECT prompt_id, count(*) AS samples, max(added) AS last FROM samples"
    "  GROUP BY prompt_id) a ON a.prompt_id = p.id"
    " LEFT JOIN (SELECT prompt_id, count(DISTINCT name_id) AS names FROM sightings"
    "  GROUP BY prompt_id) n ON n.prompt_id = p.id"
)
_ORDER_BY: Final = {
    PromptOrder.PAID: "names DESC, p.id",
    PromptOrder.SAMPLES: "samples DESC, p.id",
    PromptOrder.ADDED: "p.added DESC, p.id",
}
_ABOVE: Final = """
WITH RECURSIVE above (id, depth) AS (
 SELECT ?, 0 UNION
 SELECT o.id, a.depth - 1 FROM above a JOIN prompts p ON p.id = a.id
  JOIN prompts o ON o.id IN (p.parent, p.other_parent) LIMIT ?)
SELECT id, max(depth) AS depth FROM above WHERE depth < 0 GROUP BY id
"""
_BELOW: Final = """
WITH RECURSIVE below (id, depth) AS (
 SELECT ?, 0 UNION
 SELECT c.id, b.depth + 1 FROM below b
  JOIN prompts c ON c.parent = b.id OR c.other_parent = b.id LIMIT ?)
SELECT id, min(depth) AS depth FROM below WHERE depth > 0 GROUP BY id
"""


class PromptPages:
    """Reads of ``prompts``, of a bounded size whatever the store holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, *, order: PromptOrder = PromptOrder.PAID, limit: int = 200, offset: int = 0
    ) -> list[PromptLine]:
        """Prompts that weren't taken out of the pool."""
        rows = self._connection.rows(
            f"{_COLUMNS}{_ALL} WHERE p.pruned IS NULL ORDER BY {_ORDER_BY[order]} LIMIT ? OFFSET ?",
            (limit, offset),
        )
        return [_line(row) for row in rows]

    def count(self) -> int:
        """How many prompts weren't taken out of the pool."""
        rows = self._connection.rows("SELECT count(*) AS count FROM prompts WHERE pruned IS NULL")
        count: int = rows[0]["count"]
        return count

    def lineage(self, prompt_id: str) -> list[Relative]:
        """What the prompt was made from, oldest first, and what was made from it.

        At most ``MOST_RELATIVES`` of either; the prompt itself isn't among them.
        """
        depths: dict[str, int] = {}
        for sql in (_ABOVE, _BELOW):
            for row in self._connection.rows(sql, (prompt_id, MOST_RELATIVES + 1)):
                if row["id"] != prompt_id:
                    depths.setdefault(row["id"], row["depth"])
        found = []
        for one, depth in depths.items():
            there = self._connection.first(f"{_ONES} WHERE p.id = ?", (one,))
            if there is not None:
                found.append(Relative(depth, _line(there)))
        return sorted(found, key=lambda relative: (relative.depth, relative.line.prompt_id))


def _line(row: Row) -> PromptLine:
    return PromptLine(
        prompt_id=row["id"],
        text=row["text"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        parent=row["parent"],
        other_parent=row["other_parent"],
        operator=row["operator"],
        private=bool(row["private"]),
        added=decode_time(row["added"]),
        samples=row["samples"],
        invented_names=row["names"],
        last_sampled=decode_optional_time(row["last"]),
        pruned=decode_optional_time(row["pruned"]),
    )
