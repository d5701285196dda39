"""What is deleted after a while: texts and cached verdicts that nothing else rests on."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from ghostbust.store.connection import Connection
from ghostbust.store.encoding import encode_time

PORTION: Final = 500
"""rows of one transaction, so that no other process waits for long"""

# What a round may have trained on, or measured by, names a package; and while an adapter of the
# model is there, its sets must be able to be made again. A round weighs kinds of answers by how
# often the base gives them, so that of the base those that name nothing have to stay as well.
_TEXTS: Final = (
    "UPDATE samples SET text = NULL WHERE id IN ("
    " SELECT s.id FROM samples s WHERE s.text IS NOT NULL AND s.added < :before"
    " AND s.adapter IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.prompt_id = s.prompt_id"
    "  AND g.sample_id = s.id)"
    " AND (NOT EXISTS (SELECT 1 FROM refs f WHERE f.sample_id = s.id)"
    "  OR NOT EXISTS (SELECT 1 FROM rounds r WHERE r.model = s.model))"
    " AND NOT EXISTS (SELECT 1 FROM run_samples l JOIN runs u ON u.id = l.run_id"
    "  WHERE l.sample_id = s.id AND u.kind <> 'watch')"
    " AND NOT EXISTS (SELECT 1 FROM run_samples l JOIN runs u ON u.id = l.run_id"
    "  WHERE l.sample_id = s.id AND u.status <> 'done')"
    " LIMIT :portion)"
)
_LOOKUPS: Final = (
    "DELETE FROM lookups WHERE (ecosystem, name) IN ("
    " SELECT l.ecosystem, l.name FROM lookups l WHERE l.looked_up_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM names n"
    "  WHERE n.ecosystem = l.ecosystem AND n.name = l.name)"
    " LIMIT :portion)"
)


class Retention:
    """Deletes from the tables ``samples`` and ``lookups``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def drop_texts(self, before: datetime) -> int:
        """Deletes texts of adapters' answers to watches before then; how many, up to 500.

        Rows, refs and verdicts stay, so no count and no rate changes. Kept are all of the base, by
        whose proportions rounds weigh; of adapters the answers that invent a name, those of runs
        of other kinds or of runs that aren't done, and, where rounds of their model were run,
        those that name a package at all.
        """
        return self._delete(_TEXTS, before)

    def drop_lookups(self, before: datetime) -> int:
        """Deletes live verdicts that are older, except on invented names; how many, up to 500."""
        return self._delete(_LOOKUPS, before)

    def _delete(self, sql: str, before: datetime) -> int:
        with self._connection.write() as connection:
            return connection.execute(
                sql, {"before": encode_time(before), "portion": PORTION}
            ).rowcount
