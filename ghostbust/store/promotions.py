"""The log of the deployed pointer."""

from __future__ import annotations

from ghostbust.records import Promotion
from ghostbust.store.connection import Connection
from ghostbust.store.encoding import decode_time, encode_time


class Promotions:
    """The table ``promotions``. The pointer itself is a file of the home folder."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, promotion: Promotion) -> None:
        """Adds a move of the pointer that has been made."""
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO promotions (adapter, previous, kind, reason, at)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    promotion.adapter,
                    promotion.previous,
                    promotion.kind,
                    promotion.reason,
                    encode_time(promotion.at),
                ),
            )

    def all(self) -> list[Promotion]:
        """Every move, newest first."""
        return [
            Promotion(
                adapter=row["adapter"],
                previous=row["previous"],
                kind=row["kind"],
                reason=row["reason"],
                at=decode_time(row["at"]),
            )
            for row in self._connection.rows("SELECT * FROM promotions ORDER BY id DESC")
        ]

    def deployed(self) -> str | None:
        """The adapter of the last move; None for the bare base, also where none was made."""
        row = self._connection.first("SELECT adapter FROM promotions ORDER BY id DESC LIMIT 1")
        return None if row is None else row["adapter"]
