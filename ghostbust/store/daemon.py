"""What the daemon keeps: its jobs, what a day spent; what it deletes; what was added lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from ghostbust.store.connection import StoreNoun, encode_time, insert
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import is_alive, this_process

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
    def pid(self) -> int | None:
        """Of the process that works on it; None where none does."""
        return int(self.process.partition(":")[0]) if self.process and self.works else None

    @property
    def was_killed(self) -> bool:
        """True where its last run neither ended nor goes on."""
        return self.process is not None and not is_alive(self.process)


class JobLog(StoreNoun):
    """The table ``jobs``: one row for each job that was ever scheduled, run or paused."""

    def all(self) -> dict[str, JobRow]:
        """Every job that has a row, by name."""
        rows = self._connection.read(JobRow, "SELECT * FROM jobs ORDER BY name")
        return {row.name: row for row in rows}

    def get(self, name: str) -> JobRow:
        """What is known of the job; nothing but its name where it has no row."""
        row = self._connection.find(JobRow, "SELECT * FROM jobs WHERE name = ?", (name,))
        return JobRow(name) if row is None else row

    def pause(self, name: str) -> None:
        """Stops the schedule of the job; a run that works goes on to its end."""
        self._set(name, paused=self._now())

    def resume(self, name: str) -> None:
        """Starts the schedule of the job again."""
        self._set(name, paused=None)

    def request(self, name: str) -> None:
        """Asks the daemon for a run, also of a job that is paused."""
        self._set(name, requested=self._now())

    def schedule(self, name: str, due: datetime | None) -> None:
        """Stores when the job runs next."""
        self._set(name, due=due)

    def begin(self, name: str) -> None:
        """Stores that this process works on the job from now on, which answers a request."""
        self._set(name, requested=None, started=self._now(), finished=None, process=this_process())

    def finish(self, name: str, outcome: JobOutcome, reason: str) -> None:
        """Stores what came of the run. ``failures`` counts failed ones, until one is ok."""
        failures = self.get(name).failures
        failures = {"ok": 0, "failed": failures + 1}.get(outcome, failures)
        self._set(
            name,
            requested=None,
            finished=self._now(),
            outcome=outcome,
            reason=reason,
            failures=failures,
            process=None,
        )

    def _set(self, name: str, **columns: object) -> None:
        """Writes these columns of the job's row, which is made where there is none."""
        changed = ", ".join(f"{column} = excluded.{column}" for column in columns)
        with self._connection.write() as connection:
            insert(
                connection,
                "jobs",
                {"name": name} | columns,
                f"ON CONFLICT (name) DO UPDATE SET {changed}",
            )


class Spending(StoreNoun):
    """The table ``spent``: one row for each day and budget."""

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


PORTION: Final = 500
"""rows of one transaction, so that no other process waits for long"""

# While rounds of the model are in the store, their sets must be able to be made again. What they
# trained on, or measured by, names a package. But a round weighs kinds of answers by how often the
# base gives them, so the base's answers that name nothing have to stay as well.
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


class Retention(StoreNoun):
    """Deletes from the tables ``samples`` and ``lookups``."""

    def drop_texts(self, before: datetime) -> int:
        """Deletes texts of adapters' answers to watches before then; how many, up to `PORTION`.

        Rows, refs and verdicts stay, so no count and no rate changes. Keeps all texts of the base,
        by whose proportions rounds weigh; of adapters, answers that invent a name, answers of other
        kinds of runs or of runs that aren't done, and, if rounds of the model were run, answers
        that name any package.
        """
        return self._delete(_TEXTS, before)

    def drop_lookups(self, before: datetime) -> int:
        """Deletes older live verdicts, except on invented names; how many, up to `PORTION`."""
        return self._delete(_LOOKUPS, before)

    def _delete(self, sql: str, before: datetime) -> int:
        with self._connection.write() as connection:
            return connection.execute(
                sql, {"before": encode_time(before), "portion": PORTION}
            ).rowcount


@dataclass(frozen=True, slots=True)
class Marks:
    """The newest rows at some time."""

    sample: int = 0
    """the newest sample's row; 0 before the first"""
    name: int = 0
    """the newest invented name's id; 0 before the first"""


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


class Growth(StoreNoun):
    """What was added lately, by whatever process, and what waits for a person. Reads only.

    Meant to be asked every few seconds however large the database is: only new rows are read.
    """

    def marks(self) -> Marks:
        """The newest rows now."""
        (marks,) = self._connection.read(
            Marks,
            "SELECT coalesce((SELECT max(rowid) FROM samples), 0) AS sample,"
            " coalesce((SELECT max(id) FROM names), 0) AS name",
        )
        return marks

    def between(self, old: Marks, new: Marks) -> Grown:
        """What was added after ``old``, up to ``new``; without rows that were deleted since."""
        span = (old.sample, new.sample)
        refs = self._connection.rows(
            "SELECT v.verdict, count(*) AS refs FROM samples s"
            " CROSS JOIN refs f ON f.sample_id = s.id JOIN verdicts v ON v.id = f.verdict_id"
            " WHERE s.rowid > ? AND s.rowid <= ? GROUP BY v.verdict",
            span,
        )
        (sums,) = self._connection.rows(
            "SELECT count(*) AS samples, coalesce(sum(tokens), 0) AS tokens FROM samples"
            " WHERE rowid > ? AND rowid <= ?",
            span,
        )
        inventions = self._connection.value(
            "SELECT count(*) FROM names WHERE id > ? AND id <= ?", (old.name, new.name)
        )
        return Grown(
            sums["samples"],
            sums["tokens"],
            {row["verdict"]: row["refs"] for row in refs},
            inventions,
        )

    def round_states(self) -> dict[str, int]:
        """How many rounds there are by state."""
        rows = self._connection.rows("SELECT state, count(*) AS rounds FROM rounds GROUP BY state")
        return {row["state"]: row["rounds"] for row in rows}

    def moves(self) -> dict[str, int]:
        """How often the deployed pointer moved, by kind."""
        rows = self._connection.rows("SELECT kind, count(*) AS moves FROM promotions GROUP BY kind")
        return {row["kind"]: row["moves"] for row in rows}

    def waiting(self) -> dict[str, Waiting]:
        """``review``: rounds that wait for a person; ``alarms``: those that reached nobody."""
        (review,) = self._connection.read(
            Waiting,
            "SELECT count(*) AS count, min(updated) AS since FROM rounds WHERE state = ?",
            (RoundState.WAITING,),
        )
        (alarms,) = self._connection.read(
            Waiting, "SELECT count(*) AS count, min(at) AS since FROM alarms WHERE told = ''"
        )
        return {"review": review, "alarms": alarms}

    def newest_time(self) -> datetime | None:
        """The latest time in the small tables; None for an empty database.

        One in the future means that the clock was set back since.
        """
        at = self._connection.value(
            "SELECT max(at) FROM (SELECT max(started) AS at FROM runs"
            " UNION ALL SELECT max(finished) FROM runs UNION ALL SELECT max(updated) FROM rounds"
            " UNION ALL SELECT max(at) FROM promotions UNION ALL SELECT max(at) FROM alarms)"
        )
        return None if at is None else datetime.fromisoformat(at)
