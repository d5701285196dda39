"""What a person said of invented names, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from ghostbust.errors import StoreError
from ghostbust.records import Ecosystem
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_time, encode_time
from ghostbust.store.rows import Decision, Review

_REVIEWS: Final = (
    "SELECT v.decision, v.reason, v.at, n.ecosystem, n.name FROM reviews v"
    " JOIN names n ON n.id = v.name_id"
)


class Reviews:
    """The table ``reviews``, and the column ``review`` of ``names``, which has the last one."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def add(self, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> None:
        """Notes a decision. Raises StoreError for a name that isn't in the ledger."""
        with self._connection.write() as connection:
            found = connection.execute(
                "UPDATE names SET review = ? WHERE ecosystem = ? AND name = ? RETURNING id",
                (None if decision is Decision.REOPEN else decision, ecosystem, name),
            ).fetchone()
            if found is None:
                raise StoreError(f"the ledger has no name {name!r} of {ecosystem}")
            connection.execute(
                "INSERT INTO reviews (name_id, decision, reason, at) VALUES (?, ?, ?, ?)",
                (found[0], decision, reason, encode_time(self._now())),
            )

    def of(self, ecosystem: Ecosystem, name: str) -> list[Review]:
        """All that was decided on a name, newest first."""
        rows = self._connection.rows(
            f"{_REVIEWS} WHERE n.ecosystem = ? AND n.name = ? ORDER BY v.id DESC",
            (ecosystem, name),
        )
        return [_review(row) for row in rows]

    def recent(self, limit: int = 100) -> list[Review]:
        """The newest decisions, newest first."""
        rows = self._connection.rows(f"{_REVIEWS} ORDER BY v.id DESC LIMIT ?", (limit,))
        return [_review(row) for row in rows]

    def allowed(self) -> frozenset[tuple[Ecosystem, str]]:
        """The names that a person vouches for."""
        rows = self._connection.rows(
            "SELECT ecosystem, name FROM names WHERE review = ?", (Decision.ALLOW,)
        )
        return frozenset((Ecosystem(row["ecosystem"]), row["name"]) for row in rows)


def _review(row: Row) -> Review:
    return Review(
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        decision=Decision(row["decision"]),
        reason=row["reason"],
        at=decode_time(row["at"]),
    )
