"""Runs: who sampled what with which settings, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.measure import said_unknown
from ghostbust.records import Measurement
from ghostbust.store.connection import (
    Connection,
    Row,
    decode_json,
    decode_measurement,
    decode_optional_time,
    decode_time,
    encode_json,
    encode_measurement,
    encode_time,
    is_alive,
    this_process,
)
from ghostbust.store.rounds import Requests
from ghostbust.store.rows import RatePoint, Run, RunKind, RunSpec, RunStatus


class Runs:
    """The table ``runs``."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def start(self, spec: RunSpec) -> int:
        """The id of a new run of this process."""
        with self._connection.write() as connection:
            (run_id,) = connection.execute(
                "INSERT INTO runs (kind, model, adapter, seed, settings, snapshots, version,"
                " process, started, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (*_key(spec), this_process(), encode_time(self._now()), RunStatus.RUNNING),
            ).fetchone()
        return int(run_id)

    def find_unfinished(self, spec: RunSpec) -> int | None:
        """The newest interrupted run of the same spec and code version; None without one."""
        return self._find(spec, RunStatus.INTERRUPTED)

    def unfinished(self, spec: RunSpec) -> list[Run]:
        """The interrupted runs of the same spec but for model and adapter, newest first."""
        kind, _, _, *rest = _key(spec)
        rows = self._connection.rows(
            "SELECT * FROM runs WHERE kind = ? AND seed = ? AND settings = ? AND snapshots = ?"
            " AND version = ? AND status = ? ORDER BY id DESC",
            (kind, *rest, RunStatus.INTERRUPTED),
        )
        return [_run(row) for row in rows]

    def find_done(self, spec: RunSpec) -> int | None:
        """The newest finished run of the same spec and code version; None without one."""
        return self._find(spec, RunStatus.DONE)

    def is_done(self, kind: RunKind, seed: int) -> bool:
        """True where a run of that kind and seed is finished, whatever else it was made with."""
        found = self._connection.first(
            "SELECT 1 FROM runs WHERE kind = ? AND seed = ? AND status = ?",
            (kind, seed, RunStatus.DONE),
        )
        return found is not None

    def resume(self, run_id: int) -> None:
        """Makes an interrupted run this process's. Raises StoreError if it isn't interrupted."""
        with self._connection.write() as connection:
            cursor = connection.execute(
                "UPDATE runs SET status = ?, process = ?, finished = NULL"
                " WHERE id = ? AND status = ?",
                (RunStatus.RUNNING, this_process(), run_id, RunStatus.INTERRUPTED),
            )
            if not cursor.rowcount:
                raise StoreError(f"run {run_id} can't be resumed: it isn't interrupted")

    def finish(self, run_id: int, status: RunStatus, measurement: Measurement | None) -> None:
        """Closes a running run. Raises StoreError if it isn't running."""
        with self._connection.write() as connection:
            cursor = connection.execute(
                "UPDATE runs SET status = ?, finished = ?, measurement = ?"
                " WHERE id = ? AND status = ?",
                (
                    status,
                    encode_time(self._now()),
                    None if measurement is None else encode_measurement(measurement),
                    run_id,
                    RunStatus.RUNNING,
                ),
            )
            if not cursor.rowcount:
                raise StoreError(f"run {run_id} can't be finished: it isn't running")

    def mark_interrupted(self, *, ingest: bool = False) -> int:
        """Marks running runs whose process is gone as interrupted; how many there were.

        Call it while holding the home lock: a process in another container looks gone. Runs that
        ingest hold a lock of their own: they are marked with ``ingest``, and only they.
        """
        running = self._connection.rows(
            "SELECT id, process FROM runs WHERE status = ? AND (kind = ?) = ?",
            (RunStatus.RUNNING, RunKind.INGEST, ingest),
        )
        gone = [row["id"] for row in running if not is_alive(row["process"])]
        with self._connection.write() as connection:
            connection.executemany(
                "UPDATE runs SET status = ?, finished = ? WHERE id = ?",
                [(RunStatus.INTERRUPTED, encode_time(self._now()), run_id) for run_id in gone],
            )
        return len(gone)

    def recent(self, limit: int = 100) -> list[Run]:
        """The newest runs, newest first."""
        rows = self._connection.rows("SELECT * FROM runs ORDER BY id DESC LIMIT ?", (limit,))
        return [_run(row) for row in rows]

    def get(self, run_id: int) -> Run:
        """The run. Raises StoreError if there is none."""
        row = self._connection.first("SELECT * FROM runs WHERE id = ?", (run_id,))
        if row is None:
            raise StoreError(f"there is no run {run_id}")
        return _run(row)

    def rates(self, limit: int = 500, kind: RunKind | None = None) -> list[RatePoint]:
        """The newest measured runs, of that kind only if one is given, oldest first."""
        rows = self._connection.rows(
            "SELECT id, kind, model, adapter, finished, measurement FROM runs"
            " WHERE measurement IS NOT NULL AND status = ? AND kind = coalesce(?, kind)"
            " ORDER BY id DESC LIMIT ?",
            (RunStatus.DONE, kind, limit),
        )
        return [_rate_point(row) for row in reversed(rows)]

    def _find(self, spec: RunSpec, status: RunStatus) -> int | None:
        row = self._connection.first(
            "SELECT max(id) AS id FROM runs WHERE kind = ? AND model = ? AND adapter IS ?"
            " AND seed = ? AND settings = ? AND snapshots = ? AND version = ? AND status = ?",
            (*_key(spec), status),
        )
        return None if row is None else row["id"]


def _key(spec: RunSpec) -> tuple[object, ...]:
    """The column values by which two runs are the same."""
    return (
        spec.kind,
        spec.model,
        spec.adapter,
        spec.seed,
        encode_json(spec.settings),
        encode_json(spec.snapshots),
        ghostbust.__version__,
    )


def _run(row: Row) -> Run:
    measurement = row["measurement"]
    return Run(
        id=row["id"],
        spec=RunSpec(
            kind=RunKind(row["kind"]),
            model=row["model"],
            adapter=row["adapter"],
            seed=row["seed"],
            settings=decode_json(row["settings"]),
            snapshots=decode_json(row["snapshots"]),
        ),
        version=row["version"],
        started=decode_time(row["started"]),
        finished=decode_optional_time(row["finished"]),
        status=RunStatus(row["status"]),
        measurement=None if measurement is None else decode_measurement(measurement),
    )


def _rate_point(row: Row) -> RatePoint:
    measurement = decode_measurement(row["measurement"])
    return RatePoint(
        run_id=row["id"],
        kind=RunKind(row["kind"]),
        model=row["model"],
        adapter=row["adapter"],
        finished=decode_time(row["finished"]),
        rate=measurement.rate,
        ci95=measurement.ci95,
        volume=measurement.volume,
        answers=measurement.answers,
        unknown=said_unknown(measurement.unknown, measurement.local, measurement.unmapped),
    )


# --- requests
# How the requests of a run fared at the model servers.


class RequestLog:
    """The table ``requests``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, run_id: int, requests: Requests) -> None:
        """Adds what a run's requests came to; of a run that goes on, the newest part's median."""
        with self._connection.write() as connection:
            connection.execute(
                "INSERT INTO requests (run_id, answered, failed, median_s) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET answered = answered + excluded.answered,"
                " failed = failed + excluded.failed,"
                " median_s = coalesce(excluded.median_s, median_s)",
                (run_id, requests.answered, requests.failed, requests.median_s),
            )

    def get(self, run_id: int) -> Requests | None:
        """What the run's requests came to; None where none were noted, as of a local model."""
        row = self._connection.first("SELECT * FROM requests WHERE run_id = ?", (run_id,))
        if row is None:
            return None
        return Requests(row["answered"], row["failed"], row["median_s"])
