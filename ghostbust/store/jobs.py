"""The daemon's jobs: when each ran and is due, what came of it, and what people asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ghostbust.store.connection import Connection, Row
from ghostbust.store.encoding import decode_optional_time, encode_time
from ghostbust.store.processes import is_alive, this_process

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
