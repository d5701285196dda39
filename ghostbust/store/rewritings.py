"""Rewritings: which operator was used on which prompt, what it cost, and what a sample found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby
from typing import Final

from ghostbust.records import Ecosystem, Flag
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import encode_time
from ghostbust.store.rows import Draw, DrawnName, OperatorCount, Rewriting

MOST_DRAWS: Final = 20_000
"""samples that `Rewritings.draws` reads, the newest ones: older ones say nothing of the model"""

# A name's first sample is the first that was added. Rows of ``samples`` are never deleted, so
# their rowids count up. A name that the prompt had named is nothing that it elicited.
_DRAWS: Final = """
WITH chosen AS (SELECT rowid AS place, * FROM samples ORDER BY rowid DESC LIMIT ?)
SELECT s.place, s.prompt_id, s.adapter, s.seed,
 iif(s.tokens > 0, s.tokens, max(1, coalesce(length(s.text), 400) / 4)) AS cost,
 n.ecosystem, n.name,
 s.place = (SELECT min(f.rowid) FROM sightings o JOIN samples f ON f.id = o.sample_id
  WHERE o.name_id = n.id) AS new
FROM chosen s
LEFT JOIN sightings g ON g.prompt_id = s.prompt_id AND g.sample_id = s.id
 AND NOT EXISTS (SELECT 1 FROM refs r JOIN verdicts v ON v.id = r.verdict_id
  JOIN names m ON m.ecosystem = v.ecosystem AND m.name = v.name
  WHERE r.sample_id = s.id AND m.id = g.name_id AND instr(r.flags, ?))
LEFT JOIN names n ON n.id = g.name_id
ORDER BY s.place, n.id
"""


class Rewritings:
    """The table ``rewritings``, and the samples that tell what they were worth."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def add(self, rewritings: Iterable[Rewriting]) -> None:
        """Notes them, in the order given. Their parents must be among the prompts."""
        batch = list(rewritings)
        with self._connection.write() as connection:
            connection.executemany(
                "INSERT INTO rewritings (operator, parent, child, tokens, model, adapter, seed,"
                " at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (r.operator, r.parent, r.child, r.tokens, r.model, r.adapter, r.seed, at)
                    for at in [encode_time(self._now())]
                    for r in batch
                ],
            )

    def read(self) -> list[Rewriting]:
        """All of them, in the order in which they were noted."""
        rows = self._connection.rows("SELECT * FROM rewritings ORDER BY id")
        return [
            Rewriting(
                row["operator"], row["parent"], row["child"], row["tokens"], row["model"],
                row["adapter"], row["seed"],
            )
            for row in rows
        ]  # fmt: skip

    def counts(self) -> list[OperatorCount]:
        """What became of each operator's rewritings, by its name."""
        rows = self._connection.rows(
            "SELECT operator, count(*) AS asked, count(child) AS written, sum(tokens) AS tokens,"
            " sum(child IS NOT NULL AND EXISTS (SELECT 1 FROM sightings s"
            "  WHERE s.prompt_id = r.child)) AS paid"
            " FROM rewritings r GROUP BY operator ORDER BY operator"
        )
        return [
            OperatorCount(row["operator"], row["asked"], row["written"], row["paid"], row["tokens"])
            for row in rows
        ]

    def draws(self, most: int = MOST_DRAWS) -> list[Draw]:
        """The ``most`` newest samples, oldest first; those of private prompts too."""
        rows = self._connection.rows(_DRAWS, (most, Flag.PROMPT_INDUCED))
        return [_draw(list(group)) for _, group in groupby(rows, key=lambda row: int(row["place"]))]


def _draw(rows: list[Row]) -> Draw:
    names = [row for row in rows if row["name"] is not None]
    return Draw(
        prompt_id=rows[0]["prompt_id"],
        adapter=rows[0]["adapter"],
        seed=rows[0]["seed"],
        cost=rows[0]["cost"],
        names=tuple(
            DrawnName(Ecosystem(row["ecosystem"]), row["name"], bool(row["new"])) for row in names
        ),
    )
