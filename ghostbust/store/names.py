"""Alarms: invented names that were found registered, and who has heard of it."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.errors import StoreError
from ghostbust.records import (
    Answer,
    Ecosystem,
    Hallucination,
    Lookup,
    SuspectReason,
    Verdict,
)
from ghostbust.statistics import Incidence, Unseen, unseen, wilson_interval
from ghostbust.store.connection import (
    Connection,
    Row,
    decode_optional_time,
    decode_time,
    encode_time,
)
from ghostbust.store.rows import Alarm, Decision, NameOrder, Review

# --- ledger
# The ledger of invented names: what was seen how often, and what was claimed since.

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


# --- repeats
# How often an invented name comes back when what elicited it is asked again.
#
# A prompt elicits a name for the first time in some sample. That one says nothing on how often it
# does: without it the prompt wouldn't be looked at. Every sample of the same prompt after it is a
# fair try. So a name's figure is *came back* of *asked again*, over its prompts, for each adapter.

PAGE_NAMES: Final = 500
"""names whose samples are held in memory at a time"""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a name came back with one adapter."""

    adapter: str | None
    """None for the base"""
    asked_again: int
    """samples of prompts that had elicited the name, since they first did"""
    came_back: int
    """those of them that named it"""
    prompts: int
    """prompts that were asked again"""


class Repeatability:
    """The table ``repeats``. One home holds one model's answers, so models aren't told apart."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def of(self, ecosystem: Ecosystem, name: str) -> list[Repeats]:
        """What is known of a name, the base first, then adapters by name."""
        rows = self._connection.rows(
            "SELECT r.* FROM repeats r JOIN names n ON n.id = r.name_id"
            " WHERE n.ecosystem = ? AND n.name = ? ORDER BY r.adapter",
            (ecosystem, name),
        )
        return [
            Repeats(row["adapter"] or None, row["asked_again"], row["came_back"], row["prompts"])
            for row in rows
        ]

    def prompts_of(self, ecosystem: Ecosystem, name: str) -> list[str]:
        """Ids of the prompts that elicited a name, those that did most often first."""
        rows = self._connection.rows(
            "SELECT g.prompt_id FROM sightings g JOIN names n ON n.id = g.name_id"
            " WHERE n.ecosystem = ? AND n.name = ? GROUP BY g.prompt_id"
            " ORDER BY count(*) DESC, g.prompt_id",
            (ecosystem, name),
        )
        return [row["prompt_id"] for row in rows]

    def refresh(self) -> int:
        """Counts anew for every name whose prompts were asked since it was last counted.

        How many names that were. Asks nobody: samples and sightings are there already.
        """
        at = self._now()
        due = self._due()
        for start in range(0, len(due), PAGE_NAMES):
            page = due[start : start + PAGE_NAMES]
            counted = self._count(page)
            with self._connection.write() as connection:
                connection.execute(
                    "DELETE FROM repeats WHERE name_id IN (SELECT value FROM json_each(?))",
                    (json.dumps(page),),
                )
                connection.executemany(
                    "INSERT INTO repeats (name_id, adapter, asked_again, came_back, prompts,"
                    " at_least) VALUES (?, ?, ?, ?, ?, ?)",
                    counted,
                )
                connection.execute(
                    "UPDATE names SET counted_at = ? WHERE id IN (SELECT value FROM json_each(?))",
                    (encode_time(at), json.dumps(page)),
                )
        return len(due)

    def _due(self) -> list[int]:
        # At or after, not after: times are whole seconds, and a name counted twice is no harm.
        rows = self._connection.rows(
            "SELECT n.id FROM names n WHERE n.counted_at IS NULL OR n.last_seen >= n.counted_at"
            " OR EXISTS (SELECT 1 FROM sightings g WHERE g.name_id = n.id AND n.counted_at <="
            "  (SELECT max(s.added) FROM samples s WHERE s.prompt_id = g.prompt_id)) ORDER BY n.id"
        )
        return [row["id"] for row in rows]

    def _count(self, page: Sequence[int]) -> list[tuple[int, str, int, int, int, float]]:
        """The rows of ``repeats`` of these names."""
        wanted = json.dumps(page)
        samples = self._connection.rows(
            "SELECT id, prompt_id, coalesce(adapter, '') AS adapter, temperature > 0 AS drawn"
            " FROM samples WHERE prompt_id IN (SELECT prompt_id FROM sightings"
            "  WHERE name_id IN (SELECT value FROM json_each(?)))"
            " ORDER BY prompt_id, added, seed, number, id",
            (wanted,),
        )
        sightings = self._connection.rows(
            "SELECT name_id, prompt_id, sample_id FROM sightings"
            " WHERE name_id IN (SELECT value FROM json_each(?))",
            (wanted,),
        )
        return list(_counted(samples, sightings))


def _counted(
    samples: Iterable[Row], sightings: Iterable[Row]
) -> Iterable[tuple[int, str, int, int, int, float]]:
    """The rows of ``repeats``, from samples in the order of drawing and sightings in any order."""
    place: dict[str, int] = {}
    adapter_of: dict[str, str] = {}
    """of a sample that was drawn; those at temperature 0 are no tries, but may be the first"""
    drawn: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    """prompt to adapter to the places of its drawn samples, rising"""
    for number, row in enumerate(samples):
        place[row["id"]] = number
        if row["drawn"]:
            adapter_of[row["id"]] = row["adapter"]
            drawn[row["prompt_id"]][row["adapter"]].append(number)
    seen: dict[tuple[int, str], list[str]] = defaultdict(list)
    for row in sightings:
        seen[row["name_id"], row["prompt_id"]].append(row["sample_id"])
    sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (name_id, prompt_id), ids in seen.items():
        first = min(place[sample_id] for sample_id in ids)
        back = [adapter_of[i] for i in ids if place[i] > first and i in adapter_of]
        for adapter, places in drawn[prompt_id].items():
            again = len(places) - bisect_right(places, first)
            if again:
                for at, more in enumerate((again, back.count(adapter), 1)):
                    sums[name_id, adapter][at] += more
    for (name_id, adapter), (again, came_back, prompts) in sums.items():
        at_least, _ = wilson_interval(came_back / again, again)
        yield name_id, adapter, again, came_back, prompts, at_least


# --- reviews
# What a person said of invented names, and why.

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


# --- alarms
# Alarms: invented names that were found registered, and who has heard of it.

_ALARMS: Final = (
    "SELECT a.*, n.ecosystem, n.name, n.times_seen FROM alarms a JOIN names n ON n.id = a.name_id"
)


class Alarms:
    """The table ``alarms``. ``Ledger.mark_claimed`` raises them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def recent(self, limit: int = 100) -> list[Alarm]:
        """The newest alarms, newest first."""
        rows = self._connection.rows(f"{_ALARMS} ORDER BY a.id DESC LIMIT ?", (limit,))
        return [_alarm(row) for row in rows]

    def untold(self) -> list[Alarm]:
        """Those that nobody has heard of yet, oldest first."""
        rows = self._connection.rows(f"{_ALARMS} WHERE a.told = '' ORDER BY a.id")
        return [_alarm(row) for row in rows]

    def mark_told(self, alarm_id: int, told: Iterable[str]) -> None:
        """Notes whom the alarm has reached."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE alarms SET told = ? WHERE id = ?", (" ".join(told), alarm_id)
            )


def find_alarm(connection: Connection, name_id: int) -> Alarm | None:
    """The alarm on the name of that number; None where nobody claimed it."""
    row = connection.first(f"{_ALARMS} WHERE a.name_id = ?", (name_id,))
    return None if row is None else _alarm(row)


def _alarm(row: Row) -> Alarm:
    return Alarm(
        id=row["id"],
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        at=decode_time(row["at"]),
        first_released=decode_optional_time(row["first_released"]),
        uploader=row["uploader"],
        evidence=row["evidence"],
        times_seen=row["times_seen"],
        told=tuple(row["told"].split()),
    )
