"""The log of the deployed pointer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ghostbust.records import Promotion
from ghostbust.store.connection import (
    Connection,
    Row,
    decode_json,
    decode_optional_time,
    decode_time,
    encode_json,
    encode_time,
)
from ghostbust.store.rounds import Canary, Figures, Loaded

# --- published
# Which adapter was loaded where, and what it showed there.


class Published:
    """The tables ``published`` and ``canaries``.

    A note of what was done, by which rounds' leftovers are found: what a replica has at the moment
    only the replica knows.
    """

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def mark_loaded(self, replica: str, adapter: str) -> None:
        """Notes that the replica has the adapter now."""
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO published (replica, adapter, loaded) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET loaded = excluded.loaded, unloaded = NULL",
                (replica, adapter, encode_time(self._now())),
            )

    def mark_unloaded(self, replica: str, adapter: str) -> None:
        """Notes that the replica has the adapter no longer."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE published SET unloaded = ? WHERE replica = ? AND adapter = ?",
                (encode_time(self._now()), replica, adapter),
            )

    def all(self) -> list[Loaded]:
        """Every adapter at every replica that it was ever loaded at, in the order of loading."""
        rows = self._connection.rows("SELECT * FROM published ORDER BY loaded, replica, adapter")
        return [
            Loaded(
                replica=row["replica"],
                adapter=row["adapter"],
                loaded=decode_time(row["loaded"]),
                unloaded=decode_optional_time(row["unloaded"]),
            )
            for row in rows
        ]

    def add_canary(self, canary: Canary) -> None:
        """Adds what an adapter showed."""
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO canaries (replica, adapter, passed, reason, base, figures, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    canary.replica,
                    canary.adapter,
                    canary.passed,
                    canary.reason,
                    _plain(canary.base),
                    _plain(canary.figures),
                    encode_time(canary.at),
                ),
            )

    def canaries(self, adapter: str | None = None, limit: int = 100) -> list[Canary]:
        """The newest canaries of an adapter, or of all, newest first."""
        rows = self._connection.rows(
            "SELECT * FROM canaries WHERE :adapter IS NULL OR adapter = :adapter"
            " ORDER BY id DESC LIMIT :limit",
            {"adapter": adapter, "limit": limit},
        )
        return [_canary(row) for row in rows]


def _canary(row: Row) -> Canary:
    return Canary(
        replica=row["replica"],
        adapter=row["adapter"],
        passed=bool(row["passed"]),
        reason=row["reason"],
        base=_figures(row["base"]),
        figures=_figures(row["figures"]),
        at=decode_time(row["at"]),
    )


def _plain(figures: Figures) -> str:
    """As JSON, NaN as null."""
    told = asdict(figures)
    return encode_json({key: None if value != value else value for key, value in told.items()})


def _figures(text: str) -> Figures:
    told: dict[str, Any] = decode_json(text)
    missing: Any = math.nan
    return Figures(**{key: missing if value is None else value for key, value in told.items()})


# --- promotions
# The log of the deployed pointer.


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
