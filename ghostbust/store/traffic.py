"""Logs of production: how far each file was read, what was counted, where inventions stand.

An answer that invents nothing is a count, not a row: `ingest_counts` holds, for each run, how many
answers there were and what they named, in a number of rows that doesn't grow with the log.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import datetime

from ghostbust.measure import Key, NameCounts, Tally
from ghostbust.records import Verdict
from ghostbust.store.answers import insert_answer
from ghostbust.store.connection import Connection, Row, decode_time, encode_time
from ghostbust.store.rows import LoggedAnswer, NamedOften, ReadFile

_COUNTS = tuple(column.name for column in fields(NameCounts))
_COLUMNS = ", ".join(("run_id", "model", "adapter", "context", "family_group", *_COUNTS))
_ADDED = ", ".join(f"{column} = {column} + excluded.{column}" for column in _COUNTS)
_INSERT = (
    f"INSERT INTO ingest_counts ({_COLUMNS})"  # noqa: S608
    f" VALUES (?, ?, ?, ?, ?{', ?' * len(_COUNTS)}) ON CONFLICT DO UPDATE SET {_ADDED}"
)


@dataclass(frozen=True, slots=True)
class LoggedPart:
    """What a block of a log holds of one run: of one model with or without an adapter."""

    run_id: int
    counted: Tally
    """all answers"""
    answers: Sequence[LoggedAnswer] = ()
    """those that invent names, which ``counted`` has, too"""


class Traffic:
    """The tables ``ingest_files``, ``ingest_counts`` and ``ingest_lines``."""

    def __init__(
        self, connection: Connection, now: Callable[[], datetime], *, keep_private: bool
    ) -> None:
        self._connection = connection
        self._now = now
        self._keep_private = keep_private

    def add(self, parts: Iterable[LoggedPart], file: ReadFile | None) -> None:
        """Keeps a block: what it counted for each run, answers that invent names, and the place.

        All of it, or none. ``file`` is one that `number` gave its number; None for a stream, of
        which no place is remembered.
        """
        parts = list(parts)
        with self._connection.write() as connection:
            at = self._now()
            if file is not None:
                _update_file(connection, file, at)
            for part in parts:
                self._add(connection, part, None if file is None else file.id, at)

    def _add(
        self, connection: sqlite3.Connection, part: LoggedPart, file_id: int | None, at: datetime
    ) -> None:
        connection.executemany(
            _INSERT,
            [_count_values(part.run_id, key, counts) for key, counts in part.counted.items()],
        )
        for one in part.answers:
            insert_answer(connection, part.run_id, one.answer, at, keep_private=self._keep_private)
            connection.execute(
                "INSERT INTO ingest_lines (sample_id, file_id, line, logged)"
                " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    one.answer.sample.id,
                    file_id,
                    one.line,
                    one.logged and encode_time(one.logged),
                ),
            )

    def number(self, file: ReadFile) -> ReadFile:
        """The file with a number of its own, as one of which nothing was read yet."""
        with self._connection.write() as connection:
            (file_id,) = connection.execute(
                "INSERT INTO ingest_files (path, device, inode, head_bytes, head, tail, offset,"
                " lines, updated) VALUES (?, ?, ?, 0, '', '', 0, 0, ?) RETURNING id",
                (file.path, file.device, file.inode, encode_time(self._now())),
            ).fetchone()
        return replace(file, id=int(file_id))

    def head_sizes(self) -> list[int]:
        """The distinct numbers of bytes that files are known by."""
        rows = self._connection.rows("SELECT DISTINCT head_bytes FROM ingest_files")
        return [row["head_bytes"] for row in rows]

    def find(self, head_bytes: int, head: str) -> list[ReadFile]:
        """The files whose first ``head_bytes`` bytes have the hash ``head``."""
        rows = self._connection.rows(
            "SELECT * FROM ingest_files WHERE head_bytes = ? AND head = ?", (head_bytes, head)
        )
        return [_file(row) for row in rows]

    def last_read(self, path: str) -> datetime | None:
        """When lines of a file of that name were read last; None where none were."""
        row = self._connection.first(
            "SELECT max(updated) AS at FROM ingest_files WHERE path = ? AND offset > 0", (path,)
        )
        return None if row is None or row["at"] is None else decode_time(row["at"])

    def tally(self, run_id: int) -> Tally:
        """What the run counted so far."""
        rows = self._connection.rows("SELECT * FROM ingest_counts WHERE run_id = ?", (run_id,))
        return {
            Key(
                row["model"], row["adapter"] or None, row["context"], row["family_group"]
            ): NameCounts(*(row[column] for column in _COUNTS))
            for row in rows
        }

    def named_most(self, run_ids: Iterable[int], limit: int) -> list[NamedOften]:
        """The invented names of the runs, those that the most answers named first."""
        rows = self._connection.rows(
            "SELECT v.name, max(v.verdict) AS verdict, max(v.reason) AS reason,"
            " count(DISTINCT r.sample_id) AS answers FROM run_samples s"
            " JOIN refs r ON r.sample_id = s.sample_id AND r.judgement = s.judgement"
            " JOIN verdicts v ON v.id = r.verdict_id"
            " WHERE s.run_id IN (SELECT value FROM json_each(?)) AND v.verdict IN (?, ?)"
            " GROUP BY v.ecosystem, v.name ORDER BY answers DESC, v.name LIMIT ?",
            (json.dumps(sorted(run_ids)), Verdict.ABSENT, Verdict.SUSPECT, limit),
        )
        return [
            NamedOften(row["name"], Verdict(row["verdict"]), row["reason"], row["answers"])
            for row in rows
        ]


def _update_file(connection: sqlite3.Connection, file: ReadFile, at: datetime) -> None:
    connection.execute(
        "UPDATE ingest_files SET path = ?, device = ?, inode = ?, head_bytes = ?, head = ?,"
        " tail = ?, offset = ?, lines = ?, updated = ? WHERE id = ?",
        (
            file.path, file.device, file.inode, file.head_bytes, file.head, file.tail,
            file.offset, file.lines, encode_time(at), file.id,
        ),
    )  # fmt: skip


def _count_values(run_id: int, key: Key, counts: NameCounts) -> tuple[str | int, ...]:
    return run_id, key.model, key.adapter or "", key.context, key.group, *astuple(counts)


def _file(row: Row) -> ReadFile:
    return ReadFile(
        id=row["id"],
        path=row["path"],
        device=row["device"],
        inode=row["inode"],
        head_bytes=row["head_bytes"],
        head=row["head"],
        tail=row["tail"],
        offset=row["offset"],
        lines=row["lines"],
    )
