"""Counts of what samples named, as their runs judged them, and of what they name again.

They need no text, so private prompts, of which the store keeps hashes, count as all others do.
"""

# ruff: noqa: S608 (statements are put together from constants and field names only)

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.measure import INSTALLERS, LOCAL, UNMAPPED, Named, wilson_interval
from ghostbust.prompts import FRESH, SUITE, suite_family
from ghostbust.records import Context, Ecosystem, Flag, Verdict
from ghostbust.store.connection import Row, StoreNoun, decode, encode_time, insert

PAGE_NAMES: Final = 500
"""names whose samples `Tallies.refresh_repeats` holds in memory at a time"""


@dataclass(frozen=True, slots=True)
class SampleTally(Named):
    """What one sample named."""

    number: int
    """0-based number of the completion among those of its prompt"""


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
class DomainTally:
    """What answers to prompts of one domain invented."""

    domain: str
    """empty where it isn't known"""
    names: int
    """different invented names"""
    inventing: int
    """answers with at least one of them"""
    answers: int


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


def _count_of(condition: str) -> str:
    return f"count(DISTINCT CASE WHEN {condition} THEN v.name END)"


def _counts() -> str:
    """The columns of `measure.NameCounts` of one answer, as `NameCounts.of` defines them.

    Also its REAL names, installers left out, and those of them that the prompt had named: lists
    with commas, which no name has.
    """
    prompted = (
        f"instr(f.flags, '{Flag.PROMPT_INDUCED}') AND p.context <> '{Context.NEEDS}'"
        f" AND (p.family NOT GLOB '{SUITE}*' OR p.family GLOB '{suite_family(FRESH, '*')}')"
    )
    unknown = f"v.verdict = '{Verdict.UNKNOWN}'"
    columns = {"1": "answers", _count_of(unknown): "unknown"}
    for reason, column in ((LOCAL, "local"), (UNMAPPED, "unmapped")):
        columns[_count_of(f"{unknown} AND v.reason = '{reason}'")] = column
    installers = ", ".join(f"'{name}'" for name in sorted(INSTALLERS))
    columns[_count_of(f"v.verdict = '{Verdict.REAL}' AND v.name IN ({installers})")] = "installers"
    is_real = f"v.verdict = '{Verdict.REAL}' AND v.name NOT IN ({installers})"
    for column, condition in (("real_names", is_real), ("given", f"{is_real} AND {prompted}")):
        columns[f"group_concat(DISTINCT CASE WHEN {condition} THEN v.name END)"] = column
    induced, own = {}, {}
    for verdict in (Verdict.REAL, Verdict.ABSENT, Verdict.SUSPECT):
        is_it = is_real if verdict is Verdict.REAL else f"v.verdict = '{verdict}'"
        induced[verdict] = _count_of(f"{is_it} AND {prompted}")
        own[verdict] = f"{_count_of(is_it)} - {induced[verdict]}"
        columns[own[verdict]] = verdict.lower()
    invented = f"{own[Verdict.ABSENT]} + {own[Verdict.SUSPECT]}"
    columns[f"{invented} > 0"] = "inventing"
    columns[induced[Verdict.REAL]] = "induced_real"
    columns[f"{induced[Verdict.ABSENT]} + {induced[Verdict.SUSPECT]}"] = "induced"
    return ", ".join(f"{sql} AS {column}" for sql, column in columns.items())


_COUNTS: Final = _counts()
_JUDGED: Final = (
    " JOIN refs f ON f.sample_id = r.sample_id AND f.judgement = r.judgement"
    " JOIN verdicts v ON v.id = f.verdict_id"
)


class Tallies(StoreNoun):
    """Counts over the tables ``run_samples``, ``refs`` and ``verdicts``; the table ``repeats``."""

    def of_run(self, run_id: int) -> list[SampleTally]:
        """What each sample of the run named, by prompt and number; names count once a sample."""
        rows = self._connection.rows(
            f"SELECT s.prompt_id, s.number, p.family, p.context, {_COUNTS}"
            " FROM run_samples r CROSS JOIN samples s ON s.id = r.sample_id"
            " CROSS JOIN prompts p ON p.id = s.prompt_id"
            " LEFT JOIN refs f ON f.sample_id = r.sample_id AND f.judgement = r.judgement"
            " LEFT JOIN verdicts v ON v.id = f.verdict_id"
            " WHERE r.run_id = ? GROUP BY r.sample_id ORDER BY s.prompt_id, s.number",
            (run_id,),
        )
        return [
            decode(SampleTally, row, real_names=_listed(row["real_names"]) - _listed(row["given"]))
            for row in rows
        ]

    def invented(self, run_ids: Iterable[int]) -> list[NameTally]:
        """The invented names of these runs, those of most samples first. Not redacted."""
        rows = self._connection.rows(
            # The bare v.reason is that of the row with the greatest verdict (SQLite's rule).
            "SELECT v.ecosystem, v.name, max(v.verdict) AS verdict, v.reason,"
            " count(DISTINCT r.sample_id) AS samples, count(DISTINCT s.prompt_id) AS prompts,"
            " group_concat(DISTINCT p.context) AS contexts,"
            " coalesce(n.times_seen, 0) AS times_seen, n.first_seen, n.last_seen, n.claimed_at"
            f" FROM run_samples r{_JUDGED} JOIN samples s ON s.id = r.sample_id"
            " JOIN prompts p ON p.id = s.prompt_id"
            " LEFT JOIN names n ON n.ecosystem = v.ecosystem AND n.name = v.name"
            " WHERE r.run_id IN (SELECT value FROM json_each(?))"
            " AND v.verdict IN ('ABSENT', 'SUSPECT')"
            " GROUP BY v.ecosystem, v.name ORDER BY samples DESC, v.name",
            (json.dumps(sorted(set(run_ids))),),
        )
        return [decode(NameTally, row, contexts=_contexts(row)) for row in rows]

    def domains(self, run_ids: Iterable[int]) -> list[DomainTally]:
        """What these runs invented by domain, most answers with an invention first."""
        invented = "v.verdict IN ('ABSENT', 'SUSPECT')"
        return self._connection.read(
            DomainTally,
            "SELECT p.domain,"
            f" count(DISTINCT CASE WHEN {invented} THEN v.ecosystem || ' ' || v.name END) AS names,"
            f" count(DISTINCT CASE WHEN {invented} THEN r.run_id || ' ' || r.sample_id END)"
            " AS inventing, count(DISTINCT r.run_id || ' ' || r.sample_id) AS answers"
            " FROM run_samples r JOIN samples s ON s.id = r.sample_id"
            " JOIN prompts p ON p.id = s.prompt_id"
            " LEFT JOIN refs f ON f.sample_id = r.sample_id AND f.judgement = r.judgement"
            " LEFT JOIN verdicts v ON v.id = f.verdict_id"
            " WHERE r.run_id IN (SELECT value FROM json_each(?))"
            " GROUP BY p.domain HAVING inventing ORDER BY inventing DESC, p.domain",
            (json.dumps(sorted(set(run_ids))),),
        )

    def contexts(self) -> dict[tuple[Ecosystem, str], tuple[str, ...]]:
        """For each name of the ledger, the contexts in which it was invented, sorted."""
        rows = self._connection.rows(
            "SELECT n.ecosystem, n.name, group_concat(DISTINCT p.context) AS contexts"
            " FROM names n JOIN sightings g ON g.name_id = n.id"
            " JOIN prompts p ON p.id = g.prompt_id GROUP BY n.id"
        )
        return {(Ecosystem(row["ecosystem"]), row["name"]): _contexts(row) for row in rows}

    def registered(self) -> list[RegisteredTally]:
        """Every REAL and SUSPECT name, as each sample's last run judged it, most named first."""
        return self._connection.read(
            RegisteredTally,
            "WITH latest AS (SELECT sample_id, judgement, max(run_id) FROM run_samples"
            " GROUP BY sample_id)"
            " SELECT v.ecosystem, v.name, max(v.verdict) AS verdict, v.reason,"
            f" count(DISTINCT r.sample_id) AS samples FROM latest r{_JUDGED}"
            " WHERE v.verdict IN ('REAL', 'SUSPECT')"
            " GROUP BY v.ecosystem, v.name ORDER BY samples DESC, v.ecosystem, v.name",
        )

    def refresh_repeats(self) -> int:
        """Counts repeats anew for every name whose prompts were asked since they were counted.

        How many names that were. A prompt elicits a name for the first time in some sample. That
        sample says nothing on how often it does: without it nobody would ask. Every sample of the
        same prompt after it is a fair try. So a name's figure is *came back* of *asked again*, over
        its prompts, for each adapter. One home holds one model's answers, so models aren't
        distinguished.
        """
        at = encode_time(self._now())
        # At or after, not after: times are whole seconds, and to count a name twice does no harm.
        rows = self._connection.rows(
            "SELECT n.id FROM names n WHERE n.counted_at IS NULL OR n.last_seen >= n.counted_at"
            " OR EXISTS (SELECT 1 FROM sightings g WHERE g.name_id = n.id AND n.counted_at <="
            "  (SELECT max(s.added) FROM samples s WHERE s.prompt_id = g.prompt_id)) ORDER BY n.id"
        )
        due = [row["id"] for row in rows]
        these = "IN (SELECT value FROM json_each(:page))"
        for start in range(0, len(due), PAGE_NAMES):
            find = {"page": json.dumps(due[start : start + PAGE_NAMES]), "at": at}
            samples = self._connection.rows(
                "SELECT id, prompt_id, coalesce(adapter, '') AS adapter, temperature > 0 AS drawn"
                " FROM samples WHERE prompt_id IN"
                f" (SELECT prompt_id FROM sightings WHERE name_id {these})"
                " ORDER BY prompt_id, added, seed, number, id",
                find,
            )
            sightings = self._connection.rows(
                f"SELECT name_id, prompt_id, sample_id FROM sightings WHERE name_id {these}", find
            )
            repeats = list(_repeats(samples, sightings))
            with self._connection.write() as connection:
                connection.execute(f"DELETE FROM repeats WHERE name_id {these}", find)
                for row in repeats:
                    insert(connection, "repeats", row)
                connection.execute(f"UPDATE names SET counted_at = :at WHERE id {these}", find)
        return len(due)


def _listed(names: str | None) -> frozenset[str]:
    return frozenset(names.split(",")) if names else frozenset()


def _contexts(row: Row) -> tuple[str, ...]:
    return tuple(sorted(row["contexts"].split(",")))


def _repeats(samples: Iterable[Row], sightings: Iterable[Row]) -> Iterator[Row]:
    """The rows of ``repeats``, from samples in the order of drawing and sightings in any order."""
    place: dict[str, int] = {}
    # Samples at temperature 0 repeat themselves, so they are no tries; but one may be the first.
    adapter_of: dict[str, str] = {}
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
        yield {
            "name_id": name_id,
            "adapter": adapter,
            "asked_again": again,
            "came_back": came_back,
            "prompts": prompts,
            "at_least": wilson_interval(came_back / again, again)[0],
        }
