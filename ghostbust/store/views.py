"""The ledger page by page, and all that is known of one name. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from ghostbust.measure import LOCAL, UNMAPPED, NameCounts
from ghostbust.prompts import SUITE
from ghostbust.records import Context, Ecosystem, Flag, Hallucination, Lookup, Verdict
from ghostbust.store.answers import Lookups
from ghostbust.store.connection import Connection, Row, decode_optional_time, decode_time
from ghostbust.store.names import (
    NAMES,
    ORDER_BY,
    Repeatability,
    Repeats,
    Reviews,
    decode_hallucination,
    find_alarm,
)
from ghostbust.store.rows import Alarm, Decision, NameOrder, Review

# --- tallies
# Counts of what samples named, as their runs judged them. Reads only, and needs no text.
#
# So private prompts, of which the store keeps hashes, count as all others do.

_COUNT: Final = "count(DISTINCT CASE WHEN {0} THEN v.name END)"
_PROMPTED: Final = (
    f"instr(f.flags, '{Flag.PROMPT_INDUCED}') AND p.context <> '{Context.NEEDS}'"
    f" AND p.family NOT GLOB '{SUITE}*'"
)


def _counts() -> str:
    """The columns of `ghostbust.measure.NameCounts`, but for ``answers``; it says what they are."""
    made: list[str] = []
    prompted: dict[Verdict, str] = {}
    for verdict in (Verdict.REAL, Verdict.ABSENT, Verdict.SUSPECT):
        prompted[verdict] = _COUNT.format(f"v.verdict = '{verdict}' AND {_PROMPTED}")
        every = _COUNT.format(f"v.verdict = '{verdict}'")
        made.append(f"{every} - {prompted[verdict]} AS {verdict.lower()}")
    made.append(f"{prompted[Verdict.REAL]} AS induced_real")
    made.append(f"{prompted[Verdict.ABSENT]} + {prompted[Verdict.SUSPECT]} AS induced")
    unknown = f"v.verdict = '{Verdict.UNKNOWN}'"
    made.append(f"{_COUNT.format(unknown)} AS unknown")
    for column, reason in (("local", LOCAL), ("unmapped", UNMAPPED)):
        cause = _COUNT.format(f"{unknown} AND v.reason = '{reason}'")
        made.append(f"{cause} AS {column}")
    return ", ".join(made)


_COUNTS: Final = _counts()
_COLUMNS: Final = tuple(one.name for one in fields(NameCounts) if one.name != "answers")
_JUDGED: Final = (
    " JOIN refs f ON f.sample_id = r.sample_id AND f.judgement = r.judgement"
    " JOIN verdicts v ON v.id = f.verdict_id"
)
_INVENTED: Final = "v.verdict IN ('ABSENT', 'SUSPECT')"


@dataclass(frozen=True, slots=True)
class SampleTally:
    """What one sample named."""

    prompt_id: str
    number: int
    """0-based number of the completion among those of its prompt"""
    family: str
    context: Context
    counts: NameCounts
    """of one answer"""


@dataclass(frozen=True, slots=True)
class NameTally:
    """An invented name in some runs, with what the ledger says of it."""

    ecosystem: Ecosystem
    name: str
    """not redacted"""
    verdict: Verdict
    """as these runs judged it; SUSPECT where they differ"""
    reason: str
    samples: int
    """of these runs, that named it"""
    prompts: int
    """of these runs, that elicited it"""
    contexts: tuple[str, ...]
    """sorted"""
    times_seen: int
    """samples that named it, ever"""
    first_seen: datetime | None
    """None where the ledger doesn't have the name, as for what was judged anew"""
    last_seen: datetime | None
    claimed_at: datetime | None
    """when a recheck found it registered; None as long as it is not"""


@dataclass(frozen=True, slots=True)
class RegisteredTally:
    """A name that a registry has, with how often it was named."""

    ecosystem: Ecosystem
    name: str
    verdict: Verdict
    """REAL or SUSPECT, as the last run judged it"""
    reason: str
    samples: int
    """that named it, ever"""


class Tallies:
    """Counts over the tables ``run_samples``, ``refs`` and ``verdicts``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_run(self, run_id: int) -> list[SampleTally]:
        """What each sample of the run named, by prompt and number; names count once a sample."""
        rows = self._connection.rows(
            f"SELECT s.prompt_id, s.number, p.family, p.context, {_COUNTS}"  # noqa: S608
            " FROM run_samples r CROSS JOIN samples s ON s.id = r.sample_id"
            " CROSS JOIN prompts p ON p.id = s.prompt_id"
            " LEFT JOIN refs f ON f.sample_id = r.sample_id AND f.judgement = r.judgement"
            " LEFT JOIN verdicts v ON v.id = f.verdict_id"
            " WHERE r.run_id = ? GROUP BY r.sample_id ORDER BY s.prompt_id, s.number",
            (run_id,),
        )
        return [_tally(row) for row in rows]

    def invented(self, run_ids: Iterable[int]) -> list[NameTally]:
        """The invented names of these runs, those of most samples first. Not redacted."""
        rows = self._connection.rows(
            # The bare v.reason is that of the row with the greatest verdict (SQLite's rule).
            "SELECT v.ecosystem, v.name, max(v.verdict) AS verdict, v.reason,"  # noqa: S608
            " count(DISTINCT r.sample_id) AS samples, count(DISTINCT s.prompt_id) AS prompts,"
            " group_concat(DISTINCT p.context) AS contexts, n.times_seen, n.first_seen,"
            " n.last_seen, n.claimed_at"
            f" FROM run_samples r{_JUDGED} JOIN samples s ON s.id = r.sample_id"
            " JOIN prompts p ON p.id = s.prompt_id"
            " LEFT JOIN names n ON n.ecosystem = v.ecosystem AND n.name = v.name"
            f" WHERE r.run_id IN (SELECT value FROM json_each(?)) AND {_INVENTED}"
            " GROUP BY v.ecosystem, v.name ORDER BY samples DESC, v.name",
            (json.dumps(sorted(set(run_ids))),),
        )
        return [_name(row) for row in rows]

    def contexts(self) -> dict[tuple[Ecosystem, str], tuple[str, ...]]:
        """For each name of the ledger, the contexts in which it was invented, sorted."""
        rows = self._connection.rows(
            "SELECT n.ecosystem, n.name, group_concat(DISTINCT p.context) AS contexts"
            " FROM names n JOIN sightings g ON g.name_id = n.id"
            " JOIN prompts p ON p.id = g.prompt_id GROUP BY n.id"
        )
        return {
            (Ecosystem(row["ecosystem"]), row["name"]): tuple(sorted(row["contexts"].split(",")))
            for row in rows
        }

    def registered(self) -> list[RegisteredTally]:
        """Every REAL and SUSPECT name, as each sample's last run judged it, most named first."""
        rows = self._connection.rows(
            "WITH latest AS (SELECT sample_id, judgement, max(run_id) FROM run_samples"  # noqa: S608
            " GROUP BY sample_id)"
            " SELECT v.ecosystem, v.name, max(v.verdict) AS verdict, v.reason,"
            f" count(DISTINCT r.sample_id) AS samples FROM latest r{_JUDGED}"
            " WHERE v.verdict IN ('REAL', 'SUSPECT')"
            " GROUP BY v.ecosystem, v.name ORDER BY samples DESC, v.ecosystem, v.name"
        )
        return [
            RegisteredTally(
                Ecosystem(row["ecosystem"]), row["name"], Verdict(row["verdict"]), row["reason"],
                row["samples"],
            )
            for row in rows
        ]  # fmt: skip


def _tally(row: Row) -> SampleTally:
    return SampleTally(
        row["prompt_id"], row["number"], row["family"], Context(row["context"]),
        NameCounts(answers=1, **{column: row[column] for column in _COLUMNS}),
    )  # fmt: skip


def _name(row: Row) -> NameTally:
    return NameTally(
        ecosystem=Ecosystem(row["ecosystem"]),
        name=row["name"],
        verdict=Verdict(row["verdict"]),
        reason=row["reason"],
        samples=row["samples"],
        prompts=row["prompts"],
        contexts=tuple(sorted(row["contexts"].split(","))),
        times_seen=row["times_seen"] or 0,
        first_seen=decode_optional_time(row["first_seen"]),
        last_seen=decode_optional_time(row["last_seen"]),
        claimed_at=decode_optional_time(row["claimed_at"]),
    )


# --- sample_pages
# Stored answers page by page, newest first. Reads only, and only what was kept.

_LATEST = (
    "(SELECT r.judgement FROM run_samples r WHERE r.sample_id = s.id"
    " ORDER BY r.run_id DESC LIMIT 1)"
)
# Nothing in these comes from outside.
_COUNT_REFS = (
    "(SELECT count(DISTINCT v.name) FROM refs f JOIN verdicts v ON v.id = f.verdict_id"  # noqa: S608
    f" WHERE f.sample_id = s.id AND f.judgement = {_LATEST} AND v.verdict IN ({{}}))"
)
_REAL = _COUNT_REFS.format("'REAL'")
_INVENTED_REFS = _COUNT_REFS.format("'ABSENT', 'SUSPECT'")
_UNKNOWN = _COUNT_REFS.format("'UNKNOWN'")
_LINES = (
    "SELECT s.id, s.prompt_id, s.model, s.adapter, s.added, s.tokens,"  # noqa: S608
    f" p.context, p.ecosystem, {_REAL} AS real,"
    f" {_INVENTED_REFS} AS invented,"
    f" {_UNKNOWN} AS unknown"
    " FROM samples s JOIN prompts p ON p.id = s.prompt_id"
    " WHERE s.text IS NOT NULL AND p.text IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class SampleLine:
    """One stored answer, with how many distinct names of each verdict it has."""

    sample_id: str
    prompt_id: str
    model: str
    adapter: str | None
    added: datetime
    tokens: int
    context: Context
    ecosystem: Ecosystem
    real: int
    invented: int
    unknown: int


class SamplePages:
    """Reads of ``samples``, of a bounded size whatever the store holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self,
        *,
        invented: bool = False,
        name: tuple[Ecosystem, str] | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[SampleLine]:
        """Answers whose texts were kept, newest first.

        ``invented``: those only that invent a name; ``name``: those only that named this one.
        """
        where = ""
        values: dict[str, object] = {"limit": limit, "offset": offset}
        if name is not None:
            where = (
                " AND s.id IN (SELECT g.sample_id FROM sightings g JOIN names n ON n.id = g.name_id"
                " WHERE n.ecosystem = :ecosystem AND n.name = :name)"
            )
            values |= {"ecosystem": name[0], "name": name[1]}
        elif invented:
            where = " AND EXISTS (SELECT 1 FROM sightings g WHERE g.sample_id = s.id)"
        rows = self._connection.rows(
            f"{_LINES}{where} ORDER BY s.rowid DESC LIMIT :limit OFFSET :offset", values
        )
        return [_line(row) for row in rows]


def _line(row: Row) -> SampleLine:
    return SampleLine(
        sample_id=row["id"],
        prompt_id=row["prompt_id"],
        model=row["model"],
        adapter=row["adapter"],
        added=decode_time(row["added"]),
        tokens=row["tokens"],
        context=Context(row["context"]),
        ecosystem=Ecosystem(row["ecosystem"]),
        real=row["real"],
        invented=row["invented"],
        unknown=row["unknown"],
    )


# --- name_pages
# The ledger page by page, and all that is known of one name. Reads only.

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
