"""What came into the database since it was last looked at, and what waits in it. Reads only.

Meant to be asked every few seconds however large the database is: only new rows are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from ghostbust.store.connection import (
    Connection,
    Row,
    decode_optional_time,
    encode_time,
    is_alive,
    this_process,
)
from ghostbust.store.rounds import RoundState

# --- jobs
# The daemon's jobs: when each ran and is due, what came of it, and what people asked for.

JobOutcome = Literal["ok", "failed", "skipped", "stopped"]


@dataclass(frozen=True, slots=True)
class JobRow:
    """What is known of a job."""

    name: str
    paused: datetime | None = None
    """since when it is; None where it isn't"""
    requested: datetime | None = None
    """when somebody asked for a run that has not begun; None where nobody waits for one"""
    due: datetime | None = None
    """when it runs next, as far as the last daemon knew; None where it isn't scheduled"""
    started: datetime | None = None
    """when its last run began; None before the first"""
    finished: datetime | None = None
    """when its last run ended, or was found not to begin; None as long as it works"""
    outcome: JobOutcome | None = None
    """what came of the last run; None before the first has ended"""
    reason: str = ""
    """why it failed, was skipped or stopped, one line; what it did where it is ok; may be empty"""
    failures: int = 0
    """failed runs in a row"""
    process: str | None = None
    """who works on it, as `this_process`; None where nobody does"""

    @property
    def works(self) -> bool:
        """True while a process that is alive works on it."""
        return self.process is not None and is_alive(self.process)

    @property
    def was_killed(self) -> bool:
        """True where its last run neither ended nor goes on."""
        return self.process is not None and not is_alive(self.process)


class Jobs:
    """The table ``jobs``: one row for each job that was ever scheduled, run or paused."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def all(self) -> dict[str, JobRow]:
        """Every job that has a row, by name."""
        rows = self._connection.rows("SELECT * FROM jobs ORDER BY name")
        return {row["name"]: _job(row) for row in rows}

    def get(self, name: str) -> JobRow:
        """What is known of the job; nothing but its name where it has no row."""
        row = self._connection.first("SELECT * FROM jobs WHERE name = ?", (name,))
        return JobRow(name) if row is None else _job(row)

    def pause(self, name: str) -> None:
        """Has the job not run by itself any more; one that works goes on to its end."""
        self._set(name, paused=encode_time(self._now()))

    def resume(self, name: str) -> None:
        """Has the job run by itself again."""
        self._set(name, paused=None)

    def request(self, name: str) -> None:
        """Asks the daemon for a run, also of a job that is paused."""
        self._set(name, requested=encode_time(self._now()))

    def schedule(self, name: str, due: datetime | None) -> None:
        """Notes when the job runs next."""
        self._set(name, due=None if due is None else encode_time(due))

    def begin(self, name: str) -> None:
        """Notes that this process works on the job from now on; what was asked for is begun."""
        now = encode_time(self._now())
        self._set(name, requested=None, started=now, finished=None, process=this_process())

    def finish(self, name: str, outcome: JobOutcome, reason: str) -> None:
        """Notes what came of the run. `failures` counts failed ones, until one is ok."""
        failures = self.get(name).failures
        failures = {"ok": 0, "failed": failures + 1}.get(outcome, failures)
        self._set(
            name,
            requested=None,
            finished=encode_time(self._now()),
            outcome=outcome,
            reason=reason,
            failures=failures,
            process=None,
        )

    def _set(self, name: str, **columns: object) -> None:
        """Writes these columns of the job's row, which is made where there is none."""
        names = ", ".join(columns)
        changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
        marks = ", ".join("?" for _ in columns)
        with self._connection.write() as connection:
            connection.execute(
                f"INSERT INTO jobs (name, {names}) VALUES (?, {marks})"  # noqa: S608
                f" ON CONFLICT (name) DO UPDATE SET {changed}",
                (name, *columns.values()),
            )


def _job(row: Row) -> JobRow:
    return JobRow(
        name=row["name"],
        paused=decode_optional_time(row["paused"]),
        requested=decode_optional_time(row["requested"]),
        due=decode_optional_time(row["due"]),
        started=decode_optional_time(row["started"]),
        finished=decode_optional_time(row["finished"]),
        outcome=row["outcome"],
        reason=row["reason"],
        failures=row["failures"],
        process=row["process"],
    )


# --- spending
# What was spent of the budgets of each day, to the unit, whatever process spent it.


class Spending:
    """The table ``spent``: one row for each day and budget."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, day: date) -> dict[str, float]:
        """What was spent on the day, by budget; without those of which nothing was."""
        rows = self._connection.rows(
            "SELECT budget, amount FROM spent WHERE day = ?", (day.isoformat(),)
        )
        return {row["budget"]: row["amount"] for row in rows}

    def take(self, day: date, amounts: dict[str, float], limits: dict[str, float]) -> bool:
        """Spends the amounts, all or none; False, and nothing is spent, where one has too little.

        A budget without a limit is only counted. What was taken and not used is given back with
        negative amounts.
        """
        with self._connection.write() as connection:
            connection.execute("SAVEPOINT taking")
            for budget, amount in amounts.items():
                row = connection.execute(
                    "INSERT INTO spent (day, budget, amount) VALUES (?, ?, max(0, ?))"
                    " ON CONFLICT DO UPDATE SET amount = max(0, amount + ?) RETURNING amount",
                    (day.isoformat(), budget, amount, amount),
                ).fetchall()[0]
                if amount > 0 and row[0] > limits.get(budget, row[0]):
                    connection.execute("ROLLBACK TO taking")
                    return False
        return True


# --- retention
# What is deleted after a while: texts and cached verdicts that nothing else rests on.

PORTION: Final = 500
"""rows of one transaction, so that no other process waits for long"""

# What a round may have trained on, or measured by, names a package; and while an adapter of the
# model is there, its sets must be able to be made again. A round weighs kinds of answers by how
# often the base gives them, so that of the base those that name nothing have to stay as well.
_TEXTS: Final = (
    "UPDATE samples SET text = NULL WHERE id IN ("
    " SELECT s.id FROM samples s WHERE s.text IS NOT NULL AND s.added < :before"
    " AND s.adapter IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM sightings g WHERE g.prompt_id = s.prompt_id"
    "  AND g.sample_id = s.id)"
    " AND (NOT EXISTS (SELECT 1 FROM refs f WHERE f.sample_id = s.id)"
    "  OR NOT EXISTS (SELECT 1 FROM rounds r WHERE r.model = s.model))"
    " AND NOT EXISTS (SELECT 1 FROM run_samples l JOIN runs u ON u.id = l.run_id"
    "  WHERE l.sample_id = s.id AND u.kind <> 'watch')"
    " AND NOT EXISTS (SELECT 1 FROM run_samples l JOIN runs u ON u.id = l.run_id"
    "  WHERE l.sample_id = s.id AND u.status <> 'done')"
    " LIMIT :portion)"
)
_LOOKUPS: Final = (
    "DELETE FROM lookups WHERE (ecosystem, name) IN ("
    " SELECT l.ecosystem, l.name FROM lookups l WHERE l.looked_up_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM names n"
    "  WHERE n.ecosystem = l.ecosystem AND n.name = l.name)"
    " LIMIT :portion)"
)


class Retention:
    """Deletes from the tables ``samples`` and ``lookups``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def drop_texts(self, before: datetime) -> int:
        """Deletes texts of adapters' answers to watches before then; how many, up to 500.

        Rows, refs and verdicts stay, so no count and no rate changes. Kept are all of the base, by
        whose proportions rounds weigh; of adapters the answers that invent a name, those of runs
        of other kinds or of runs that aren't done, and, where rounds of their model were run,
        those that name a package at all.
        """
        return self._delete(_TEXTS, before)

    def drop_lookups(self, before: datetime) -> int:
        """Deletes live verdicts that are older, except on invented names; how many, up to 500."""
        return self._delete(_LOOKUPS, before)

    def _delete(self, sql: str, before: datetime) -> int:
        with self._connection.write() as connection:
            return connection.execute(
                sql, {"before": encode_time(before), "portion": PORTION}
            ).rowcount


# --- growth
# What came into the database since it was last looked at, and what waits in it. Reads only.
#
# Meant to be asked every few seconds however large the database is: only new rows are read.

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
