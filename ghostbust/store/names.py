"""Invented names: the ledger, what people decided on them, which were claimed, which come back.

Also the latest verdict of a registry on any name.
"""

# ruff: noqa: S608 (statements are put together from constants and field names only)

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ghostbust.errors import StoreError
from ghostbust.records import Answer, Ecosystem, Hallucination, Lookup, SuspectReason, Verdict
from ghostbust.store.connection import (
    Connection,
    Row,
    StoreNoun,
    columns_of,
    decode,
    encode_time,
    insert,
)

if TYPE_CHECKING:
    from ghostbust.unseen import Unseen

FEW: Final = 1000
"""names found by a search that are put in order by themselves"""
MOST_SAMPLES: Final = 50
"""samples of a name that `Ledger.details` lists"""


class NameOrder(StrEnum):
    """What the ledger is ordered by. Counts and times go down, names go up."""

    TIMES_SEEN = "times_seen"
    PROMPTS = "prompts"
    REPEATS = "repeats"
    """how surely it comes back: the lower end of the 95 % interval of that share"""
    FIRST_SEEN = "first_seen"
    LAST_SEEN = "last_seen"
    NAME = "name"


class Decision(StrEnum):
    """What a person says of an invented name."""

    ACCEPT = "accept"
    """it is invented; nothing else changes"""
    IGNORE = "ignore"
    """it isn't listed any more, unless asked for"""
    ALLOW = "allow"
    """it is theirs: `ghostbust check` passes it over, and no round trains on it"""
    REOPEN = "reopen"
    """the earlier decision is taken back"""


@dataclass(frozen=True, slots=True)
class Review:
    """One decision on an invented name."""

    ecosystem: Ecosystem
    name: str
    """not redacted"""
    decision: Decision
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Alarm:
    """An invented name that was found registered: a likely slopsquat."""

    id: int
    ecosystem: Ecosystem
    name: str
    at: datetime
    """when the recheck found it"""
    first_released: datetime | None
    """when its oldest file or version that is left was published; None where nobody said"""
    uploader: str
    """who published it, as far as the registry says; may be empty"""
    evidence: str
    """what was asked and what it said, one line"""
    times_seen: int
    """distinct samples that named it"""
    told: tuple[str, ...]
    """whom the alarm has reached: ``webhook``, ``command``"""


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


@dataclass(frozen=True, slots=True)
class NameLine:
    """One line of the ledger."""

    name: Hallucination
    review: Decision | None
    """the last decision on it; None where there is none, or it was taken back"""


@dataclass(frozen=True, slots=True)
class NamePage:
    """Some lines of the ledger."""

    lines: tuple[NameLine, ...]
    found: int
    """names that there are in all, on this page and others"""


@dataclass(frozen=True, slots=True)
class NamedBy:
    """A sample that named it."""

    sample_id: str
    prompt_id: str
    adapter: str | None
    added: datetime


@dataclass(frozen=True, slots=True)
class KnownName:
    """All that the store knows of one name."""

    name: Hallucination
    contexts: tuple[str, ...]
    """in which it was invented, sorted"""
    samples: tuple[NamedBy, ...]
    """that named it, newest first, ``MOST_SAMPLES`` of them"""
    repeats: tuple[Repeats, ...]
    """with each adapter, the base first"""
    lookup: Lookup | None
    """the latest live answer; None where none was asked for"""
    alarm: Alarm | None
    """None for a name that nobody claimed"""
    reviews: tuple[Review, ...]
    """newest first"""


# ``:adapter`` is empty for the base.
_NAMES: Final = (
    "SELECT n.*, coalesce(r.asked_again, 0) AS asked_again, coalesce(r.came_back, 0) AS came_back"
    " FROM names n LEFT JOIN repeats r ON r.name_id = n.id AND r.adapter = :adapter"
)
_ORDER_BY: Final = {
    NameOrder.TIMES_SEEN: "n.times_seen DESC, n.id",
    NameOrder.PROMPTS: "n.prompts DESC, n.id",
    NameOrder.REPEATS: "r.at_least DESC, n.times_seen DESC, n.id",
    NameOrder.FIRST_SEEN: "n.first_seen DESC, n.id",
    NameOrder.LAST_SEEN: "n.last_seen DESC, n.id",
    NameOrder.NAME: "n.name, n.id",
}
_THIS: Final = " WHERE n.ecosystem = :ecosystem AND n.name = :name"
_REPEATS: Final = (
    "SELECT nullif(r.adapter, '') AS adapter, r.asked_again, r.came_back, r.prompts"
    f" FROM repeats r JOIN names n ON n.id = r.name_id{_THIS} ORDER BY r.adapter"
)
_ALARMS: Final = (
    "SELECT a.*, n.ecosystem, n.name, n.times_seen FROM alarms a JOIN names n ON n.id = a.name_id"
)
_REVIEWS: Final = (
    "SELECT v.decision, v.reason, v.at, n.ecosystem, n.name FROM reviews v"
    " JOIN names n ON n.id = v.name_id"
)
_LOOKUP: Final = "SELECT * FROM lookups n" + _THIS


class Ledger(StoreNoun):
    """The tables ``names`` and ``sightings``. Nothing that it returns is redacted."""

    def hallucinations(
        self,
        *,
        search: str = "",
        order: NameOrder = NameOrder.TIMES_SEEN,
        limit: int = 100,
        offset: int = 0,
        adapter: str | None = None,
    ) -> list[Hallucination]:
        """Invented names that contain ``search``, in any case; those that are ignored, too.

        ``adapter``: whose repeats are counted, and ordered by; None is the base.
        """
        page = self.page(
            search=search, order=order, ignored=True, limit=limit, offset=offset, adapter=adapter
        )
        return [line.name for line in page.lines]

    def page(
        self,
        *,
        search: str = "",
        order: NameOrder = NameOrder.TIMES_SEEN,
        ignored: bool = False,
        limit: int = 200,
        offset: int = 0,
        adapter: str | None = None,
    ) -> NamePage:
        """The same with decisions and the number of all; without ignored ones unless asked for."""
        where = "1" if ignored else "n.review IS NOT 'ignore'"
        pattern = re.sub("[%_!]", r"!\g<0>", search)
        find: dict[str, object] = {"search": f"%{pattern}%"}
        if search:
            where = f"{where} AND n.name LIKE :search ESCAPE '!'"
            # The index of names and reviews, which is much smaller than the table, is enough here.
            few = self._connection.rows(
                f"SELECT n.id FROM names n WHERE {where} LIMIT {FEW + 1}", find
            )
            found = len(few)
            if found <= FEW:
                # Only these are put in order. Of many, the order's index soon has a page full.
                where = "n.id IN (SELECT value FROM json_each(:few))"
                find["few"] = json.dumps([row["id"] for row in few])
            else:
                found = self._count(where, find)
        else:
            # Both counts are read from an index; the names that aren't ignored have none.
            found = self._count("1") - (0 if ignored else self._count("n.review = 'ignore'"))
        rows = self._connection.rows(
            f"{_NAMES} WHERE {where} ORDER BY {_ORDER_BY[order]} LIMIT :limit OFFSET :offset",
            find | {"adapter": adapter or "", "limit": limit, "offset": offset},
        )
        lines = (decode(NameLine, row, name=decode(Hallucination, row)) for row in rows)
        return NamePage(tuple(lines), found)

    def get(
        self, ecosystem: Ecosystem, name: str, *, adapter: str | None = None
    ) -> Hallucination | None:
        """One name, with its repeats by this adapter; None if it isn't in the ledger."""
        return self._connection.find(
            Hallucination,
            _NAMES + _THIS,
            {"adapter": adapter or "", "ecosystem": ecosystem, "name": name},
        )

    def details(
        self, ecosystem: Ecosystem, name: str, *, adapter: str | None = None
    ) -> KnownName | None:
        """What the store knows of the name; None if it isn't in the ledger."""
        found = self.get(ecosystem, name, adapter=adapter)
        if found is None:
            return None
        this = {"ecosystem": ecosystem, "name": name}
        contexts = self._connection.rows(
            "SELECT DISTINCT p.context FROM names n JOIN sightings g ON g.name_id = n.id"
            f" JOIN prompts p ON p.id = g.prompt_id{_THIS} ORDER BY p.context",
            this,
        )
        samples = self._connection.read(
            NamedBy,
            "SELECT s.id AS sample_id, s.prompt_id, s.adapter, s.added FROM names n"
            f" JOIN sightings g ON g.name_id = n.id JOIN samples s ON s.id = g.sample_id{_THIS}"
            f" ORDER BY s.added DESC, s.rowid DESC LIMIT {MOST_SAMPLES}",
            this,
        )
        return KnownName(
            found,
            tuple(row["context"] for row in contexts),
            tuple(samples),
            tuple(self.repeats_of(ecosystem, name)),
            self._connection.find(Lookup, _LOOKUP, this),
            next(map(_alarm, self._connection.rows(_ALARMS + _THIS, this)), None),
            tuple(self._connection.read(Review, f"{_REVIEWS}{_THIS} ORDER BY v.id DESC", this)),
        )

    def repeats_of(self, ecosystem: Ecosystem, name: str) -> list[Repeats]:
        """How often the name came back, as last counted: the base first, then adapters by name."""
        return self._connection.read(Repeats, _REPEATS, {"ecosystem": ecosystem, "name": name})

    def prompts_of(self, ecosystem: Ecosystem, name: str) -> list[str]:
        """Ids of the prompts that elicited a name, those that did most often first."""
        rows = self._connection.rows(
            f"SELECT g.prompt_id FROM sightings g JOIN names n ON n.id = g.name_id{_THIS}"
            " GROUP BY g.prompt_id ORDER BY count(*) DESC, g.prompt_id",
            {"ecosystem": ecosystem, "name": name},
        )
        return [row["prompt_id"] for row in rows]

    def known(self, ecosystem: Ecosystem, names: Iterable[str]) -> set[str]:
        """Those of the canonical names that are in the ledger."""
        rows = self._connection.rows(
            "SELECT name FROM names WHERE ecosystem = ?"
            " AND name IN (SELECT value FROM json_each(?))",
            (ecosystem, json.dumps(sorted(set(names)))),
        )
        return {row["name"] for row in rows}

    def claimed(self, *, undecided: bool = False) -> int:
        """How many names were found registered since they were invented; ``undecided``: of those
        that nobody has decided on."""
        return self._count(f"n.claimed_at IS NOT NULL{' AND n.review IS NULL' * undecided}")

    def count_new_inventions(self, since: datetime | None = None) -> int:
        """How many distinct names were first seen after ``since``; None counts all."""
        if since is None:
            return self._count("1")
        return self._count("n.first_seen > :since", {"since": encode_time(since)})

    def _count(self, where: str, find: dict[str, object] | None = None) -> int:
        sql = f"SELECT count(*) FROM names n WHERE {where}"
        return int(self._connection.value(sql, find or {}))

    def count_new_of(self, run_id: int) -> int:
        """How many names the run was the first to see."""
        found = self._connection.value(
            "SELECT count(DISTINCT g.name_id) FROM runs u"
            " JOIN run_samples r ON r.run_id = u.id JOIN samples s ON s.id = r.sample_id"
            " JOIN sightings g ON g.prompt_id = s.prompt_id AND g.sample_id = s.id"
            " JOIN names n ON n.id = g.name_id AND n.first_seen >= u.started WHERE u.id = ?",
            (run_id,),
        )
        return int(found)

    def unseen(self, model: str, adapter: str | None) -> Unseen:
        """What all answers of the model with this adapter say of the names not seen yet."""
        # Loads scipy, which takes longer than to open a store.
        from ghostbust.unseen import Incidence, unseen

        found = self._connection.read(
            Incidence,
            "SELECT n.ecosystem || ':' || n.name AS name, p.family, count(*) AS answers"
            " FROM sightings g JOIN samples s ON s.id = g.sample_id"
            " JOIN prompts p ON p.id = g.prompt_id JOIN names n ON n.id = g.name_id"
            " WHERE s.model = ? AND s.adapter IS ? GROUP BY g.name_id, p.family",
            (model, adapter),
        )
        (asked,) = self._connection.rows(
            "SELECT count(DISTINCT p.family) AS families, count(*) AS answers"
            " FROM samples s JOIN prompts p ON p.id = s.prompt_id"
            " WHERE s.model = ? AND s.adapter IS ?",
            (model, adapter),
        )
        return unseen(found, **asked)

    def recheck_names(self, before: datetime, limit: int) -> list[tuple[Ecosystem, str]]:
        """ABSENT names that no live registry was asked about since then, longest ago first."""
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
        """Marks an invented name as found registered, and raises the alarm, once.

        From then on it is SUSPECT, ``claimed``, whatever later samples are judged by; the first
        time and its evidence stay. Does nothing for a name that isn't in the ledger.
        """
        with self._connection.write() as connection:
            claimed = connection.execute(
                "UPDATE names SET claimed_at = ?, verdict = ?, reason = ?"
                " WHERE ecosystem = ? AND name = ? AND claimed_at IS NULL RETURNING id",
                (encode_time(at), Verdict.SUSPECT, SuspectReason.CLAIMED, ecosystem, name),
            ).fetchone()
            if claimed is None:
                return
            alarm = {
                "name_id": claimed[0],
                "at": at,
                "first_released": first_released,
                "uploader": uploader,
                "evidence": evidence,
                "told": "",
            }
            insert(connection, "alarms", alarm)


def log_inventions(connection: sqlite3.Connection, answer: Answer, at: datetime) -> None:
    """Brings the ledger up to date with one answer; a sample counts once, added twice or not.

    To be called inside the transaction that added prompt and sample.
    """
    invented = {
        (judged.lookup.ecosystem, judged.lookup.name): judged.lookup
        for judged in answer.judged
        if judged.lookup.invented
    }
    if not invented:
        return
    seen_in = {"prompt_id": answer.sample.prompt.id, "sample_id": answer.sample.id}
    for lookup in invented.values():
        (name_id,) = insert(
            connection,
            "names",
            {
                "ecosystem": lookup.ecosystem,
                "name": lookup.name,
                "verdict": lookup.verdict,
                "reason": lookup.reason,
                "times_seen": 0,
                "prompts": 0,
                "first_seen": at,
                "last_seen": at,
            },
            "ON CONFLICT (ecosystem, name) DO UPDATE SET"
            " verdict = iif(claimed_at IS NULL, excluded.verdict, verdict),"
            " reason = iif(claimed_at IS NULL, excluded.reason, reason),"
            " last_seen = max(last_seen, excluded.last_seen) RETURNING id",
        ).fetchone()
        sighting = {"name_id": name_id} | seen_in
        known_prompt = connection.execute(
            "SELECT 1 FROM sightings WHERE name_id = :name_id AND prompt_id = :prompt_id LIMIT 1",
            sighting,
        ).fetchone()
        if insert(connection, "sightings", sighting, "ON CONFLICT DO NOTHING").rowcount:
            connection.execute(
                "UPDATE names SET times_seen = times_seen + 1, prompts = prompts + ? WHERE id = ?",
                (0 if known_prompt else 1, name_id),
            )


class Lookups(StoreNoun):
    """The table ``lookups``, the newest live verdict on each name: the registries' cache."""

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict that was put for the name, however old; None if there is none."""
        return self._connection.find(Lookup, _LOOKUP, {"ecosystem": ecosystem, "name": name})

    def put_lookup(self, lookup: Lookup) -> None:
        """Keeps the verdict, unless there is a newer one."""
        columns = columns_of(lookup)
        changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
        with self._connection.write() as connection:
            insert(
                connection,
                "lookups",
                columns,
                f"ON CONFLICT (ecosystem, name) DO UPDATE SET {changed}"
                " WHERE excluded.looked_up_at >= looked_up_at",
            )


class Reviews(StoreNoun):
    """The table ``reviews``, and the column ``review`` of ``names``, which has the last one."""

    def add(self, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> None:
        """Adds a decision. Raises StoreError for a name that isn't in the ledger."""
        with self._connection.write() as connection:
            found = connection.execute(
                "UPDATE names SET review = ? WHERE ecosystem = ? AND name = ? RETURNING id",
                (None if decision is Decision.REOPEN else decision, ecosystem, name),
            ).fetchone()
            if found is None:
                raise StoreError(f"the ledger has no name {name!r} of {ecosystem}")
            review = {"decision": decision, "reason": reason, "at": self._now()}
            insert(connection, "reviews", {"name_id": found[0]} | review)

    def recent(self, limit: int = 100) -> list[Review]:
        """The newest decisions, newest first."""
        return self._connection.read(Review, f"{_REVIEWS} ORDER BY v.id DESC LIMIT ?", (limit,))

    def allowed(self) -> frozenset[tuple[Ecosystem, str]]:
        """The names that a person vouches for."""
        return allowed_names(self._connection)


def allowed_names(connection: Connection) -> frozenset[tuple[Ecosystem, str]]:
    """The names that a person vouches for."""
    rows = connection.rows("SELECT ecosystem, name FROM names WHERE review = ?", (Decision.ALLOW,))
    return frozenset((Ecosystem(row["ecosystem"]), row["name"]) for row in rows)


class Alarms(StoreNoun):
    """The table ``alarms``. ``Ledger.mark_claimed`` raises them."""

    def recent(self, limit: int = 100) -> list[Alarm]:
        """The newest alarms, newest first."""
        rows = self._connection.rows(f"{_ALARMS} ORDER BY a.id DESC LIMIT ?", (limit,))
        return [_alarm(row) for row in rows]

    def untold(self) -> list[Alarm]:
        """Those that have reached nobody yet, oldest first."""
        rows = self._connection.rows(f"{_ALARMS} WHERE a.told = '' ORDER BY a.id")
        return [_alarm(row) for row in rows]

    def mark_told(self, alarm_id: int, told: Iterable[str]) -> None:
        """Stores whom the alarm has reached."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE alarms SET told = ? WHERE id = ?", (" ".join(told), alarm_id)
            )


def _alarm(row: Row) -> Alarm:
    return decode(Alarm, row, told=tuple(row["told"].split()))
