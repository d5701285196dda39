"""The ledger of invented names: what was seen how often, and what was claimed since."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from ghostbust.records import (
    Answer,
    Ecosystem,
    Hallucination,
    Lookup,
    SuspectReason,
    Verdict,
)
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, decode_time, encode_time
from ghostbust.store.rows import NameOrder
from ghostbust.unseen import Incidence, Unseen, unseen

ORDER_BY: Final = {
    NameOrder.TIMES_SEEN: "n.times_seen DESC, n.id",
    NameOrder.PROMPTS: "n.prompts DESC, n.id",
    NameOrder.REPEATS: "r.at_least DESC, n.times_seen DESC, n.id",
    NameOrder.FIRST_SEEN: "n.first_seen DESC, n.id",
    NameOrder.LAST_SEEN: "n.last_seen DESC, n.id",
    NameOrder.NAME: "n.name, n.id",
}

NAMES: Final = (
    "SELECT n.*, coalesce(r.asked_again, 0) AS asked_again, coalesce(r.came_back, 0) AS came_back"
    " FROM names n LEFT JOIN repeats r ON r.name_id = n.id AND r.adapter = :adapter"
)
"""every name with its repeats by one adapter; ``:adapter`` is empty for the base"""


class Ledger:
    """The tables ``names`` and ``sightings``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def hallucinations(
        self,
        *,
        search: str = "",
        order: NameOrder = NameOrder.TIMES_SEEN,
        limit: int = 100,
        offset: int = 0,
        adapter: str | None = None,
    ) -> list[Hallucination]:
        """Invented names that contain ``search``, in any case. Not redacted.

        ``adapter``: whose repeats are told, and ranked by; None is the base.
        """
        rows = self._connection.rows(
            f"{NAMES} WHERE instr(lower(n.name), lower(:search))"
            f" ORDER BY {ORDER_BY[order]} LIMIT :limit OFFSET :offset",
            {"adapter": adapter or "", "search": search, "limit": limit, "offset": offset},
        )
        return [decode_hallucination(row) for row in rows]

    def get(
        self, ecosystem: Ecosystem, name: str, *, adapter: str | None = None
    ) -> Hallucination | None:
        """One name, with its repeats by this adapter; None if it isn't in the ledger."""
        row = self._connection.first(
            f"{NAMES} WHERE n.ecosystem = :ecosystem AND n.name = :name",
            {"adapter": adapter or "", "ecosystem": ecosystem, "name": name},
        )
        return None if row is None else decode_hallucination(row)

    def count_new_inventions(self, since: datetime | None = None) -> int:
        """How many distinct names were first seen after ``since``; None counts all."""
        sql = "SELECT count(*) AS count FROM names"
        if since is None:
            rows = self._connection.rows(sql)  # SQLite knows without reading the index
        else:
            rows = self._connection.rows(f"{sql} WHERE first_seen > ?", (encode_time(since),))
        count: int = rows[0]["count"]
        return count

    def known(self, ecosystem: Ecosystem, names: Iterable[str]) -> set[str]:
        """Those of the canonical names that are in the ledger."""
        rows = self._connection.rows(
            "SELECT name FROM names WHERE ecosystem = ?"
            " AND name IN (SELECT value FROM json_each(?))",
            (ecosystem, json.dumps(sorted(set(names)))),
        )
        return {row["name"] for row in rows}

    def count_new_of(self, run_id: int) -> int:
        """How many names the run was the first to see, of those that are logged."""
        rows = self._connection.rows(
            "SELECT count(DISTINCT g.name_id) AS count FROM runs u"
            " JOIN run_samples r ON r.run_id = u.id JOIN samples s ON s.id = r.sample_id"
            " JOIN sightings g ON g.prompt_id = s.prompt_id AND g.sample_id = s.id"
            " JOIN names n ON n.id = g.name_id AND n.first_seen >= u.started WHERE u.id = ?",
            (run_id,),
        )
        count: int = rows[0]["count"]
        return count

    def unseen(self, model: str, adapter: str | None) -> Unseen:
        """What all answers of the model with this adapter say of the names not seen yet."""
        found = self._connection.rows(
            "SELECT n.ecosystem || ':' || n.name AS name, p.family, count(*) AS answers"
            " FROM sightings g JOIN samples s ON s.id = g.sample_id"
            " JOIN prompts p ON p.id = g.prompt_id JOIN names n ON n.id = g.name_id"
            " WHERE s.model = ? AND s.adapter IS ? GROUP BY g.name_id, p.family",
            (model, adapter),
        )
        asked = self._connection.rows(
            "SELECT count(DISTINCT p.family) AS families, count(*) AS answers"
            " FROM samples s JOIN prompts p ON p.id = s.prompt_id"
            " WHERE s.model = ? AND s.adapter IS ?",
            (model, adapter),
        )[0]
        return unseen(
            (Incidence(row["name"], row["family"], row["answers"]) for row in found),
            families=asked["families"],
            answers=asked["answers"],
        )

    def recheck_names(self, before: datetime, limit: int) -> list[tuple[Ecosystem, str]]:
        """Unclaimed ABSENT names that no live registry was asked about since ``before``.

        Those never asked about come first, then the longest ago. A name leaves the list by
        ``Lookups.put_lookup``, or by `mark_claimed`.
        """
        rows = self._connection.rows(
            "SELECT n.ecosystem, n.name FROM names n LEFT JOIN lookups l"
            " ON l.ecosystem = n.ecosystem AND l.name = n.name"
            " WHERE n.claimed_at IS NULL AND n.verdict = ? AND coalesce(l.looked_up_at, '') < ?"
            " ORDER BY coalesce(l.looked_up_at, ''), n.times_seen DESC, n.id LIMIT ?",
            (Verdict.ABSENT, encode_time(before), limit),
        )
        return [(Ecosystem(row["ecosystem"]), row["name"]) for row in rows]

    def mark_claimed(
        self,
        ecosystem: Ecosystem,
        name: str,
        at: datetime,
        *,
        first_released: datetime | None = None,
        uploader: str = "",
        evidence: str = "",
    ) -> None:
        """Notes that an invented name was found registered, and raises the alarm, once.

        From then on it is SUSPECT, ``claimed``, whatever later samples are judged by; the first
        time and its evidence stay. Does nothing for a name that isn't in the ledger.
        """
        released = first_released and encode_time(first_released)
        with self._connection.write() as connection:
            claimed = connection.execute(
                "UPDATE names SET claimed_at = ?, verdict = ?, reason = ?"
                " WHERE ecosystem = ? AND name = ? AND claimed_at IS NULL RETURNING id",
                (encode_time(at), Verdict.SUSPECT, SuspectReason.CLAIMED, ecosystem, name),
            ).fetchone()
            if claimed is not None:
                connection.execute(
                    "INSERT INTO alarms (name_id, at, first_released, uploader, evidence, told)"
                    " VALUES (?, ?, ?, ?, ?, '')",
                    (claimed[0], encode_time(at), released, uploader, evidence),
                )


def log_inventions(connection: sqlite3.Connection, answer: Answer, at: datetime) -> None:
    """Brings the ledger up to date with one answer; a sample counts once however often it comes.

    To be called inside the transaction that added prompt and sample.
    """
    invented = {
        (judged.lookup.ecosystem, judged.lookup.name): judged.lookup
        for judged in answer.judged
        if judged.lookup.invented
    }
    for lookup in invented.values():
        name_id = _upsert_name(connection, lookup, at)
        sighting = (name_id, answer.sample.prompt.id, answer.sample.id)
        known_prompt = connection.execute(
            "SELECT 1 FROM sightings WHERE name_id = ? AND prompt_id = ? LIMIT 1", sighting[:2]
        ).fetchone()
        added = connection.execute(
            "INSERT INTO sightings (name_id, prompt_id, sample_id) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            sighting,
        )
        if added.rowcount:
            connection.execute(
                "UPDATE names SET times_seen = times_seen + 1, prompts = prompts + ? WHERE id = ?",
                (0 if known_prompt else 1, name_id),
            )


def _upsert_name(connection: sqlite3.Connection, lookup: Lookup, at: datetime) -> int:
    """The id of the name, with its last verdict unless it was claimed."""
    (name_id,) = connection.execute(
        "INSERT INTO names (ecosystem, name, verdict, reason, times_seen, prompts, first_seen,"
        " last_seen) VALUES (:ecosystem, :name, :verdict, :reason, 0, 0, :at, :at)"
        " ON CONFLICT (ecosystem, name) DO UPDATE SET"
        " verdict = iif(claimed_at IS NULL, excluded.verdict, verdict),"
        " reason = iif(claimed_at IS NULL, excluded.reason, reason),"
        " last_seen = max(last_seen, excluded.last_seen) RETURNING id",
        {
            "ecosystem": lookup.ecosystem,
            "name": lookup.name,
            "verdict": lookup.verdict,
            "reason": lookup.reason,
            "at": encode_time(at),
        },
    ).fetchone()
    return int(name_id)


def decode_hallucination(row: Row) -> Hallucination:
    """The name of a row of `NAMES`."""
    return Hallucination(
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        verdict=Verdict(row["verdict"]),
        reason=row["reason"],
        times_seen=row["times_seen"],
        prompts=row["prompts"],
        first_seen=decode_time(row["first_seen"]),
        last_seen=decode_time(row["last_seen"]),
        claimed_at=decode_optional_time(row["claimed_at"]),
        asked_again=row["asked_again"],
        came_back=row["came_back"],
    )
