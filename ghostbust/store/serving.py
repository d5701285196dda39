"""Where adapters were loaded, what they showed there, and which of them served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ghostbust.records import Promotion
from ghostbust.store.connection import StoreNoun, columns_of, encode_time, insert


@dataclass(frozen=True, slots=True)
class Loaded:
    """An adapter at one replica."""

    replica: str
    """the replica's address"""
    adapter: str
    loaded: datetime
    """when it was last loaded there"""
    unloaded: datetime | None
    """when it was unloaded; None as long as it wasn't"""


@dataclass(frozen=True, slots=True)
class CanaryFigures:
    """What one side of a canary, the base or the adapter, answered."""

    asked: int
    failed: int
    """requests without a usable answer"""
    empty: int
    """answers without a visible character"""
    invented: int
    """invented names in the answers to the forget set's prompts, distinct in each"""
    real: int
    """real ones"""
    median_s: float
    """median time of an answer, in seconds; NaN where there is none"""
    overlap: float
    """share of words that its general answers have in common with the base's; 1 for the base"""

    @property
    def rate(self) -> float:
        """invented / (invented + real), in [0, 1]; NaN where nothing was named."""
        named = self.invented + self.real
        return self.invented / named if named else float("nan")


@dataclass(frozen=True, slots=True)
class Canary:
    """What an adapter showed at one replica, before clients got it."""

    replica: str
    adapter: str
    passed: bool
    reason: str
    """every limit that was broken, in one line; the figures where none was"""
    base: CanaryFigures
    figures: CanaryFigures
    """the adapter's"""
    at: datetime


class Published(StoreNoun):
    """The tables ``published`` and ``canaries``: which adapter was loaded where, what it showed.

    This is what ghostbust did, by which it finds what rounds left behind. What a replica has at the
    moment only the replica knows.
    """

    def mark_loaded(self, replica: str, adapter: str) -> None:
        """Stores that the replica has the adapter now."""
        with self._connection.write() as connection:
            insert(
                connection,
                "published",
                {"replica": replica, "adapter": adapter, "loaded": self._now()},
                "ON CONFLICT DO UPDATE SET loaded = excluded.loaded, unloaded = NULL",
            )

    def mark_unloaded(self, replica: str, adapter: str) -> None:
        """Stores that the replica no longer has the adapter."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE published SET unloaded = ? WHERE replica = ? AND adapter = ?",
                (encode_time(self._now()), replica, adapter),
            )

    def all(self) -> list[Loaded]:
        """Every adapter at every replica that it was ever loaded at, in the order of loading."""
        return self._connection.read(
            Loaded, "SELECT * FROM published ORDER BY loaded, replica, adapter"
        )

    def add_canary(self, canary: Canary) -> None:
        """Adds what an adapter showed."""
        with self._connection.write() as connection:
            insert(connection, "canaries", columns_of(canary))

    def canaries(self, adapter: str | None = None, limit: int = 100) -> list[Canary]:
        """The newest canaries of an adapter, or of all, newest first."""
        return self._connection.read(
            Canary,
            "SELECT * FROM canaries WHERE :adapter IS NULL OR adapter = :adapter"
            " ORDER BY id DESC LIMIT :limit",
            {"adapter": adapter, "limit": limit},
        )


class Promotions(StoreNoun):
    """The table ``promotions``: every move of the deployed pointer, which is a file of the home."""

    def add(self, promotion: Promotion) -> None:
        """Adds a move of the pointer that has been made."""
        with self._connection.write() as connection:
            insert(connection, "promotions", columns_of(promotion))

    def all(self) -> list[Promotion]:
        """Every move, newest first."""
        return self._connection.read(Promotion, "SELECT * FROM promotions ORDER BY id DESC")

    def deployed(self) -> str | None:
        """The adapter of the last move; None for the bare base, also where none was made."""
        found: str | None = self._connection.value(
            "SELECT adapter FROM promotions ORDER BY id DESC LIMIT 1"
        )
        return found
