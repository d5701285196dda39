"""The ledger page by page, and all that is known of one name. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.records import Ecosystem, Hallucination, Lookup
from ghostbust.store.alarms import find_alarm
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_time
from ghostbust.store.ledger import NAMES, ORDER_BY, decode_hallucination
from ghostbust.store.lookups import Lookups
from ghostbust.store.repeats import Repeatability, Repeats
from ghostbust.store.reviews import Reviews
from ghostbust.store.rows import Alarm, Decision, NameOrder, Review

_LIKE: Final = "n.name LIKE :search ESCAPE '!'"
# Found by the index of names and reviews alone, which is much less than the table.
_IDS: Final = "SELECT n.id FROM names n WHERE {} LIMIT :most"
FEW: Final = 1000
"""names found by a search that are put in order by themselves"""
MOST_SAMPLES: Final = 50
"""samples of a name that `NamePages.known` lists"""


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


class NamePages:
    """Reads of ``names`` and what hangs on it, of a bounded size whatever the store holds."""

    def __init__(
        self,
        connection: Connection,
        lookups: Lookups,
        repeats: Repeatability,
        reviews: Reviews,
    ) -> None:
        self._connection = connection
        self._lookups = lookups
        self._repeats = repeats
        self._reviews = reviews

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
        """Names that contain ``search``, in any case, without those ignored unless asked for.

        ``adapter``: whose repeats are told, and ranked by; None is the base.
        """
        where = "1" if ignored else "n.review IS NOT 'ignore'"
        pattern = re.sub("[%_!]", r"!\g<0>", search)
        find: dict[str, object] = {"search": f"%{pattern}%"}
        if search:
            where = f"{where} AND {_LIKE}"
            few = self._connection.rows(_IDS.format(where), find | {"most": FEW + 1})
            found = len(few)
            if found <= FEW:
                # These alone are put in order. Of many, the order's index soon has a page full.
                where = "n.id IN (SELECT value FROM json_each(:few))"
                find["few"] = json.dumps([row["id"] for row in few])
            else:
                found = self._count(where, find)
        else:
            found = self._count("1") - (0 if ignored else self._count("n.review = 'ignore'"))
        rows = self._connection.rows(
            f"{NAMES} WHERE {where} ORDER BY {ORDER_BY[order]} LIMIT :limit OFFSET :offset",
            find | {"adapter": adapter or "", "limit": limit, "offset": offset},
        )
        lines = tuple(NameLine(decode_hallucination(row), _decision(row)) for row in rows)
        return NamePage(lines, found)

    def claimed(self) -> int:
        """How many names were found registered since they were invented."""
        return self._count("n.claimed_at IS NOT NULL")

    def known(
        self, ecosystem: Ecosystem, name: str, *, adapter: str | None = None
    ) -> KnownName | None:
        """What the store knows of the name; None where the ledger doesn't have it."""
        row = self._connection.first(
            f"{NAMES} WHERE n.ecosystem = :ecosystem AND n.name = :name",
            {"adapter": adapter or "", "ecosystem": ecosystem, "name": name},
        )
        if row is None:
            return None
        return KnownName(
            name=decode_hallucination(row),
            contexts=self._contexts(row["id"]),
            samples=self._samples(row["id"]),
            repeats=tuple(self._repeats.of(ecosystem, name)),
            lookup=self._lookups.get_lookup(ecosystem, name),
            alarm=find_alarm(self._connection, row["id"]),
            reviews=tuple(self._reviews.of(ecosystem, name)),
        )

    def _count(self, where: str, find: Mapping[str, object] | None = None) -> int:
        sql = f"SELECT count(*) AS found FROM names n WHERE {where}"  # noqa: S608
        found: int = self._connection.rows(sql, find or {})[0]["found"]
        return found

    def _contexts(self, name_id: int) -> tuple[str, ...]:
        rows = self._connection.rows(
            "SELECT DISTINCT p.context FROM sightings g JOIN prompts p ON p.id = g.prompt_id"
            " WHERE g.name_id = ? ORDER BY p.context",
            (name_id,),
        )
        return tuple(row["context"] for row in rows)

    def _samples(self, name_id: int) -> tuple[NamedBy, ...]:
        rows = self._connection.rows(
            "SELECT s.id, s.prompt_id, s.adapter, s.added FROM sightings g"
            " JOIN samples s ON s.id = g.sample_id WHERE g.name_id = ?"
            " ORDER BY s.added DESC, s.rowid DESC LIMIT ?",
            (name_id, MOST_SAMPLES),
        )
        return tuple(
            NamedBy(row["id"], row["prompt_id"], row["adapter"], decode_time(row["added"]))
            for row in rows
        )


def _decision(row: Row) -> Decision | None:
    return None if row["review"] is None else Decision(row["review"])
