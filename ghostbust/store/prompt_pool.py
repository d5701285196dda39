"""The pool as a person looks at it, and what was taken out of it.

Taking out deletes a prompt that nothing refers to. One that was sampled, or that others descend
from, is marked instead: runs, rates and lineages of the past stay whole.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from ghostbust.records import Context, Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, decode_time, encode_time
from ghostbust.store.rows import PoolPrompt

_POOL: Final = """
WITH ordered AS (
 SELECT s.prompt_id, s.added,
  row_number() OVER (PARTITION BY s.prompt_id ORDER BY s.added, s.seed, s.number, s.id) AS place,
  EXISTS (SELECT 1 FROM sightings g WHERE g.prompt_id = s.prompt_id AND g.sample_id = s.id) AS paid
 FROM samples s),
asked AS (
 SELECT prompt_id, count(*) AS samples, max(added) AS last,
  count(*) - coalesce(max(iif(paid, place, NULL)), 0) AS quiet
 FROM ordered GROUP BY prompt_id),
paid AS (SELECT prompt_id, count(DISTINCT name_id) AS names FROM sightings GROUP BY prompt_id)
SELECT p.*, coalesce(a.samples, 0) AS samples, coalesce(a.quiet, 0) AS quiet, a.last AS last,
 coalesce(n.names, 0) AS names
FROM prompts p LEFT JOIN asked a ON a.prompt_id = p.id LEFT JOIN paid n ON n.prompt_id = p.id
ORDER BY p.id
"""
_REFERRING: Final = (
    "SELECT m.name AS referrer, f.'from' AS field FROM sqlite_master m"
    " JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f.'table' = 'prompts'"
)


class PromptPool:
    """The table ``prompts``, whole; `ghostbust.store.prompts` is what the loop asks from."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def read(self) -> list[PoolPrompt]:
        """Every prompt, also those taken out and those without text, by id."""
        return [_pool_prompt(row) for row in self._connection.rows(_POOL)]

    def pruned(self) -> frozenset[str]:
        """Ids of the prompts that were taken out and are kept for what refers to them."""
        rows = self._connection.rows("SELECT id FROM prompts WHERE pruned IS NOT NULL")
        return frozenset(row["id"] for row in rows)

    def prune(self, prompt_ids: Iterable[str]) -> tuple[int, int]:
        """Takes prompts out of the pool; how many were deleted, and how many marked.

        Deleted is what nothing refers to: no sample or other row, and no prompt that stays and
        descends from it. Unknown ids do nothing.
        """
        wanted = set(prompt_ids)
        with self._connection.write() as connection:
            deletable = _deletable(connection, wanted)
            connection.execute(
                "DELETE FROM prompts WHERE id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(deletable)),),
            )
            marked = connection.execute(
                "UPDATE prompts SET pruned = ? WHERE pruned IS NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (encode_time(self._now()), json.dumps(sorted(wanted - deletable))),
            )
        return len(deletable), marked.rowcount

    def bring_back(self, prompt_ids: Iterable[str]) -> int:
        """Puts prompts that were marked back into the pool; how many there were."""
        with self._connection.write() as connection:
            cursor = connection.execute(
                "UPDATE prompts SET pruned = NULL WHERE pruned IS NOT NULL"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(sorted(set(prompt_ids))),),
            )
        return cursor.rowcount


def _deletable(connection: sqlite3.Connection, wanted: set[str]) -> set[str]:
    """Those of the ids that are there and that nothing refers to but what is deleted too."""
    among = "IN (SELECT value FROM json_each(?))"
    ids = json.dumps(sorted(wanted))
    there = connection.execute(f"SELECT id FROM prompts WHERE id {among}", (ids,))  # noqa: S608
    found = {one for (one,) in there}
    for referrer, field in connection.execute(_REFERRING).fetchall():
        sql = f"SELECT DISTINCT {field} FROM {referrer} WHERE {field} {among}"  # noqa: S608
        found -= {one for (one,) in connection.execute(sql, (ids,))}
    children = [
        pair
        for field in ("parent", "other_parent")
        for pair in connection.execute(
            f"SELECT id, {field} FROM prompts WHERE {field} {among}",  # noqa: S608
            (ids,),
        )
    ]
    while kept := {parent for child, parent in children if child not in found} & found:
        found -= kept
    return found


def _pool_prompt(row: Row) -> PoolPrompt:
    return PoolPrompt(
        prompt_id=row["id"],
        text=row["text"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        family=row["family"],
        domain=row["domain"],
        parent=row["parent"],
        operator=row["operator"],
        private=bool(row["private"]),
        added=decode_time(row["added"]),
        samples=row["samples"],
        invented_names=row["names"],
        quiet=row["quiet"],
        last_sampled=decode_optional_time(row["last"]),
        pruned=decode_optional_time(row["pruned"]),
        other_parent=row["other_parent"],
    )
