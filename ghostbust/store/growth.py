"""What came into the database since it was last looked at, and what waits in it. Reads only.

Meant to be asked every few seconds however large the database is: only new rows are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.store.connection import Connection
from ghostbust.store.encoding import decode_optional_time
from ghostbust.store.round_rows import RoundState

_TIMES: Final = (
    ("runs", "started"), ("runs", "finished"), ("rounds", "updated"), ("promotions", "at"),
    ("alarms", "at"),
)  # fmt: skip
"""small tables' times of writing"""


@dataclass(frozen=True, slots=True)
class Marks:
    """How far the database was looked at."""

    sample: int = 0
    """the last sample's row; 0 before the first"""
    name: int = 0
    """the last invented name's id; 0 before the first"""


@dataclass(frozen=True, slots=True)
class Grown:
    """What came after some marks."""

    samples: int
    tokens: int
    """of those samples"""
    refs: Mapping[str, int]
    """packages in those samples by verdict, each time one is named; without those of 0"""
    inventions: int
    """invented names that the ledger didn't have"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for somebody."""

    count: int
    since: datetime | None
    """since when the oldest does; None where nothing waits"""


class Growth:
    """Sums over what was added, whichever process added it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def marks(self) -> Marks:
        """How far the database goes now."""
        row = self._connection.first(
            "SELECT (SELECT max(rowid) FROM samples) AS sample, (SELECT max(id) FROM names) AS name"
        )
        return Marks(*(value or 0 for value in (row or {}).values()))

    def between(self, old: Marks, new: Marks) -> Grown:
        """What has come after ``old``, up to ``new``; deleted rows aren't seen."""
        span = (old.sample, new.sample)
        sums = self._connection.first(
            "SELECT count(*) AS samples, coalesce(sum(tokens), 0) AS tokens FROM samples"
            " WHERE rowid > ? AND rowid <= ?",
            span,
        )
        refs = self._connection.rows(
            "SELECT v.verdict, count(*) AS refs FROM samples s"
            " CROSS JOIN refs f ON f.sample_id = s.id JOIN verdicts v ON v.id = f.verdict_id"
            " WHERE s.rowid > ? AND s.rowid <= ? GROUP BY v.verdict",
            span,
        )
        names = self._connection.first(
            "SELECT count(*) AS names FROM names WHERE id > ? AND id <= ?", (old.name, new.name)
        )
        assert sums is not None and names is not None  # noqa: PT018 (sums have a row always)
        return Grown(
            sums["samples"],
            sums["tokens"],
            {row["verdict"]: row["refs"] for row in refs},
            names["names"],
        )

    def round_states(self) -> dict[str, int]:
        """How many rounds there are by state."""
        rows = self._connection.rows("SELECT state, count(*) AS rounds FROM rounds GROUP BY state")
        return {row["state"]: row["rounds"] for row in rows}

    def moves(self) -> dict[str, int]:
        """How often the deployed pointer moved, by kind."""
        rows = self._connection.rows("SELECT kind, count(*) AS moves FROM promotions GROUP BY kind")
        return {row["kind"]: row["moves"] for row in rows}

    def claimed(self) -> int:
        """How many invented names were found registered."""
        row = self._connection.first("SELECT count(*) AS alarms FROM alarms")
        return 0 if row is None else row["alarms"]

    def waiting(self) -> dict[str, Waiting]:
        """``review``: rounds that wait for a person; ``alarms``: those that reached nobody."""
        review = self._connection.first(
            "SELECT count(*) AS count, min(updated) AS since FROM rounds WHERE state = ?",
            (RoundState.WAITING,),
        )
        alarms = self._connection.first(
            "SELECT count(*) AS count, min(at) AS since FROM alarms WHERE told = ''"
        )
        return {
            name: Waiting(row["count"], decode_optional_time(row["since"]))
            for name, row in (("review", review), ("alarms", alarms))
            if row is not None
        }

    def newest_time(self) -> datetime | None:
        """The latest time that anything was noted at; None for an empty database.

        One in the future means that the clock was set back since.
        """
        newest = " UNION ALL ".join(f"SELECT max({at}) AS at FROM {table}" for table, at in _TIMES)  # noqa: S608
        row = self._connection.first(f"SELECT max(at) AS at FROM ({newest})")  # noqa: S608
        return None if row is None else decode_optional_time(row["at"])
