"""Counts of what samples named, as their runs judged them. Reads only, and needs no text.

So private prompts, of which the store keeps hashes, count as all others do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from ghostbust.counts import LOCAL, UNMAPPED, Counts
from ghostbust.records import Context, Ecosystem, Flag, Verdict
from ghostbust.reserved import SUITE
from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time

_COUNT: Final = "count(DISTINCT CASE WHEN {0} THEN v.name END)"
_PROMPTED: Final = (
    f"instr(f.flags, '{Flag.PROMPT_INDUCED}') AND p.context <> '{Context.NEEDS}'"
    f" AND p.family NOT GLOB '{SUITE}*'"
)


def _counts() -> str:
    """The columns of `ghostbust.counts.Counts`, but for ``answers``; it says what they are."""
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
_COLUMNS: Final = tuple(one.name for one in fields(Counts) if one.name != "answers")
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
    counts: Counts
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
        Counts(answers=1, **{column: row[column] for column in _COLUMNS}),
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
