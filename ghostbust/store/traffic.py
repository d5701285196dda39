"""Logs of production: how far each file was read, what was counted, where inventions stand.

An answer that invents nothing is a count, not a row: `ingest_counts` holds, for each run, how many
answers there were and what they named, in a number of rows that doesn't grow with the log.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final

from ghostbust.measure import Key, NameCounts, Tally
from ghostbust.records import Answer, Verdict
from ghostbust.store.answers import insert_answer
from ghostbust.store.connection import StoreNoun, columns_of, decode, encode_time, insert


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A log file, and how far it was read."""

    id: int | None
    """the number of the file; None before it has one"""
    path: str
    """where it lay when it was read last"""
    device: int
    inode: int
    head_bytes: int
    """bytes in ``head``"""
    head: str
    """hash of its first bytes"""
    tail: str
    """hash of the bytes in front of ``offset``"""
    offset: int
    """bytes passed; of a gz file, as they are unpacked"""
    lines: int
    """lines passed"""


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer of a log that invents a name, with where it stands."""

    answer: Answer
    line: int
    """1-based number of its line in the file"""
    logged: datetime | None
    """when, by the log; None where it doesn't say"""


@dataclass(frozen=True, slots=True)
class LoggedPart:
    """What a block of a log holds of one run: of one model with or without an adapter."""

    run_id: int
    counted: Tally
    """all answers"""
    answers: Sequence[LoggedAnswer] = ()
    """those that invent names, which ``counted`` has, too"""


@dataclass(frozen=True, slots=True)
class NamedOften:
    """An invented name with how many answers of some runs named it."""

    name: str
    verdict: Verdict
    reason: str
    answers: int


_ADD_COUNTS: Final = "ON CONFLICT DO UPDATE SET " + ", ".join(
    f"{column.name} = {column.name} + excluded.{column.name}" for column in fields(NameCounts)
)


class Traffic(StoreNoun):
    """The tables ``ingest_files``, ``ingest_counts`` and ``ingest_lines``."""

    def add(self, parts: Iterable[LoggedPart], file: ReadFile | None) -> None:
        """Keeps a block: what it counted for each run, answers that invent names, and the place.

        All of it, or none. ``file`` is one that `number` gave its number; None for a stream, of
        which no place is kept.
        """
        parts = list(parts)
        with self._connection.write() as connection:
            at = self._now()
            if file is not None:
                connection.execute(
                    "UPDATE ingest_files SET path = :path, device = :device, inode = :inode,"
                    " head_bytes = :head_bytes, head = :head, tail = :tail, offset = :offset,"
                    " lines = :lines, updated = :updated WHERE id = :id",
                    columns_of(file) | {"updated": encode_time(at)},
                )
            for part in parts:
                for key, counts in part.counted.items():
                    row = {
                        "run_id": part.run_id,
                        "model": key.model,
                        "adapter": key.adapter or "",
                        "context": key.context,
                        "family_group": key.group,
                    }
                    insert(connection, "ingest_counts", row | columns_of(counts), _ADD_COUNTS)
                for one in part.answers:
                    insert_answer(
                        connection, part.run_id, one.answer, at, keep_private=self._keep_private
                    )
                    row = {
                        "sample_id": one.answer.sample.id,
                        "file_id": None if file is None else file.id,
                        "line": one.line,
                        "logged": one.logged,
                    }
                    insert(connection, "ingest_lines", row, "ON CONFLICT DO NOTHING")

    def number(self, file: ReadFile) -> ReadFile:
        """The file with a number of its own, as one of which nothing was read yet."""
        row = columns_of(replace(file, head_bytes=0, head="", tail="", offset=0, lines=0))
        row |= {"id": None, "updated": self._now()}
        with self._connection.write() as connection:
            (file_id,) = insert(connection, "ingest_files", row, "RETURNING id").fetchone()
        return replace(file, id=int(file_id))

    def head_sizes(self) -> list[int]:
        """The distinct numbers of bytes that files are known by."""
        rows = self._connection.rows("SELECT DISTINCT head_bytes FROM ingest_files")
        return [row["head_bytes"] for row in rows]

    def find(self, head_bytes: int, head: str) -> list[ReadFile]:
        """The files whose first ``head_bytes`` bytes have the hash ``head``."""
        return self._connection.read(
            ReadFile,
            "SELECT * FROM ingest_files WHERE head_bytes = ? AND head = ?",
            (head_bytes, head),
        )

    def last_read(self, path: str) -> datetime | None:
        """When lines of a file of that name were read last; None where none were."""
        at = self._connection.value(
            "SELECT max(updated) FROM ingest_files WHERE path = ? AND offset > 0", (path,)
        )
        return None if at is None else datetime.fromisoformat(at)

    def tally(self, run_id: int) -> Tally:
        """What the run counted so far."""
        rows = self._connection.rows(
            "SELECT *, nullif(adapter, '') AS adapter, family_group AS 'group'"
            " FROM ingest_counts WHERE run_id = ?",
            (run_id,),
        )
        return {decode(Key, row): decode(NameCounts, row) for row in rows}

    def named_most(self, run_ids: Iterable[int], limit: int) -> list[NamedOften]:
        """The invented names of the runs, those that the most answers named first."""
        return self._connection.read(
            NamedOften,
            "SELECT v.name, max(v.verdict) AS verdict, max(v.reason) AS reason,"
            " count(DISTINCT r.sample_id) AS answers FROM run_samples s"
            " JOIN refs r ON r.sample_id = s.sample_id AND r.judgement = s.judgement"
            " JOIN verdicts v ON v.id = r.verdict_id"
            " WHERE s.run_id IN (SELECT value FROM json_each(?)) AND v.verdict IN (?, ?)"
            " GROUP BY v.ecosystem, v.name ORDER BY answers DESC, v.name LIMIT ?",
            (json.dumps(sorted(run_ids)), Verdict.ABSENT, Verdict.SUSPECT, limit),
        )
