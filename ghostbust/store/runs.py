"""Runs: who sampled what with which settings, and what came of it.

Also which process works on a run, or on a round or a job.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.measure import said_measure, said_unknown
from ghostbust.records import Measurement
from ghostbust.store.connection import StoreNoun, columns_of, encode, encode_time, insert
from ghostbust.system import is_running, start_of


class RunKind(StrEnum):
    """Why samples were drawn."""

    SWEEP = "sweep"
    """one-shot, from the command line"""
    WATCH = "watch"
    """by the daemon, on its schedule"""
    GATE = "gate"
    """on held-out prompts, to judge a candidate"""
    DEMO = "demo"
    EVAL = "eval"
    """to compare adapters with the base"""
    REPEAT = "repeat"
    """asks again what elicited an invention, to see whether it comes back"""
    INGEST = "ingest"
    """nothing was drawn: read from logs of production"""


class RunStatus(StrEnum):
    """How far a run got."""

    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"
    """stopped or killed half-way; it can be resumed"""
    FAILED = "failed"
    """ended by an error; it isn't resumed"""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run is made with: two runs of the same spec are the same, so one can be resumed."""

    kind: RunKind
    model: str
    """the model id, folder or endpoint as the user gave it"""
    adapter: str | None
    """name of the active adapter; None for the base"""
    seed: int
    settings: Mapping[str, object] = field(default_factory=dict)
    """sampling and prompt settings; JSON values only"""
    snapshots: Mapping[str, str] = field(default_factory=dict)
    """ecosystem to the date of the registry snapshot in use"""


@dataclass(frozen=True, slots=True)
class Run:
    """One series of samples with one model, adapter and seed."""

    id: int
    spec: RunSpec
    version: str
    """of ghostbust, when the run began"""
    started: datetime
    finished: datetime | None
    """None while it runs"""
    status: RunStatus
    measurement: Measurement | None
    """None until it is done, and where nothing was measured"""


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One finished run as a point of a time series."""

    run_id: int
    kind: RunKind
    model: str
    adapter: str | None
    finished: datetime
    rate: float
    """invented / (invented + real), in [0, 1]; NaN where nothing was named"""
    ci95: tuple[float, float]
    volume: float
    """real names per answer"""
    answers: int
    unknown: str
    """how many names could not be judged, by cause (`said_unknown`)"""
    measure: str = ""
    """by which measure it was counted if not by today's (`said_measure`)"""

    @property
    def curve(self) -> Curve:
        """The points that it may be joined with: one model and adapter, counted in one way."""
        return self.model, self.adapter, self.measure


Curve = tuple[str, str | None, str]
"""model, adapter and older measure"""


def curve_names(points: Iterable[RatePoint]) -> dict[Curve, str]:
    """A name for each curve: the adapter's, or ``base``.

    The model's name is added where two models' curves would have the same name, and a mark where
    the curve is of an older measure.
    """
    curves = dict.fromkeys(point.curve for point in points)
    models = Counter(name or "base" for _, name in {(model, name) for model, name, _ in curves})
    names = {}
    for model, adapter, measure in curves:
        name = adapter or "base"
        of_it = f" of {model}" if models[name] > 1 else ""
        names[model, adapter, measure] = f"{name}{of_it}{' (older measure)' if measure else ''}"
    return names


@dataclass(frozen=True, slots=True)
class Requests:
    """How a run's requests to model servers ended."""

    answered: int
    failed: int
    """tries that gave no usable answer"""
    median_s: float | None
    """time of an answered one; None where none was"""

    @property
    def made(self) -> int:
        """All of them."""
        return self.answered + self.failed

    @property
    def error_rate(self) -> float:
        """The share that failed; 0 where there were none."""
        return self.failed / self.made if self.made else 0.0


class Runs(StoreNoun):
    """The tables ``runs`` and ``requests``."""

    def start(self, spec: RunSpec) -> int:
        """Adds a run of this process; its id."""
        row = _key(spec) | {
            "process": this_process(),
            "started": self._now(),
            "status": RunStatus.RUNNING,
        }
        with self._connection.write() as connection:
            (run_id,) = insert(connection, "runs", row, "RETURNING id").fetchone()
        return int(run_id)

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
                (status, encode_time(self._now()), encode(measurement), run_id, RunStatus.RUNNING),
            )
            if not cursor.rowcount:
                raise StoreError(f"run {run_id} can't be finished: it isn't running")

    def extend(self, run_id: int, measurement: Measurement) -> None:
        """Sets what a finished run measured, now that it has more answers.

        Raises StoreError if it isn't finished.
        """
        with self._connection.write() as connection:
            cursor = connection.execute(
                "UPDATE runs SET finished = ?, measurement = ? WHERE id = ? AND status = ?",
                (encode_time(self._now()), encode(measurement), run_id, RunStatus.DONE),
            )
            if not cursor.rowcount:
                raise StoreError(f"run {run_id} can't be extended: it isn't finished")

    def mark_interrupted(self, *, ingest: bool = False) -> int:
        """Marks running runs whose process has ended as interrupted; how many.

        Call it while holding the home lock: a process in another container seems to have ended.
        Ingesting runs have a lock of their own: ``ingest`` marks only them, otherwise they stay.
        """
        running = self._connection.rows(
            "SELECT id, process FROM runs WHERE status = ? AND (kind = ?) = ?",
            (RunStatus.RUNNING, RunKind.INGEST, ingest),
        )
        ended = [row["id"] for row in running if not is_alive(row["process"])]
        with self._connection.write() as connection:
            connection.executemany(
                "UPDATE runs SET status = ?, finished = ? WHERE id = ?",
                [(RunStatus.INTERRUPTED, encode_time(self._now()), run_id) for run_id in ended],
            )
        return len(ended)

    def add_requests(self, run_id: int, requests: Requests) -> None:
        """Adds requests to the run's counts; the median is that of the newest that has one."""
        with self._connection.write() as connection:
            insert(
                connection,
                "requests",
                {"run_id": run_id} | columns_of(requests),
                "ON CONFLICT DO UPDATE SET answered = answered + excluded.answered,"
                " failed = failed + excluded.failed,"
                " median_s = coalesce(excluded.median_s, median_s)",
            )

    def requests(self, run_id: int) -> Requests | None:
        """The run's requests; None where none were added, as of a model that runs here."""
        return self._connection.find(Requests, "SELECT * FROM requests WHERE run_id = ?", (run_id,))

    def get(self, run_id: int) -> Run:
        """The run. Raises StoreError if there is none."""
        run = self._connection.find(Run, "SELECT * FROM runs WHERE id = ?", (run_id,))
        if run is None:
            raise StoreError(f"there is no run {run_id}")
        return run

    def recent(
        self,
        limit: int = 100,
        *,
        kinds: Collection[RunKind] | None = None,
        model: str | None = None,
        adapters: Collection[str | None] | None = None,
        status: RunStatus | None = None,
        measured: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[Run]:
        """The newest runs, newest first; -1: all. None doesn't restrict.

        ``adapters``: with one of these, None among them being the base; ``measured``: only those
        with a measurement; ``since``, ``until``: the first and last time that they may have begun.
        """
        return self._connection.read(
            Run,
            "SELECT * FROM runs WHERE (:model IS NULL OR model = :model)"
            " AND (:kinds IS NULL OR kind IN (SELECT value FROM json_each(:kinds)))"
            " AND (:adapters IS NULL"
            "  OR coalesce(adapter, '') IN (SELECT value FROM json_each(:adapters)))"
            " AND (:status IS NULL OR status = :status)"
            " AND (NOT :measured OR measurement IS NOT NULL)"
            " AND (:since IS NULL OR started >= :since)"
            " AND (:until IS NULL OR started <= :until) ORDER BY id DESC LIMIT :limit",
            {
                "model": model,
                "kinds": None if kinds is None else json.dumps(list(kinds)),
                "adapters": None if adapters is None else json.dumps([a or "" for a in adapters]),
                "status": status,
                "measured": measured,
                "since": encode(since),
                "until": encode(until),
                "limit": limit,
            },
        )

    def rates(
        self,
        limit: int = 500,
        kind: RunKind | None = None,
        *,
        model: str | None = None,
        adapters: Collection[str | None] | None = None,
    ) -> list[RatePoint]:
        """The newest finished and measured runs, oldest first; restricted as by `recent`."""
        runs = self.recent(
            limit,
            kinds=None if kind is None else [kind],
            model=model,
            adapters=adapters,
            status=RunStatus.DONE,
            measured=True,
        )
        return [
            RatePoint(
                run.id, run.spec.kind, run.spec.model, run.spec.adapter, run.finished,
                found.rate, found.ci95, found.volume, found.answers,
                said_unknown(found.unknown, found.local, found.unmapped), said_measure(found),
            )
            for run in reversed(runs)
            if (found := run.measurement) is not None and run.finished is not None
        ]  # fmt: skip

    def find(self, spec: RunSpec, status: RunStatus) -> int | None:
        """The newest run of the same spec and code version in that state; None without one."""
        found: int | None = self._connection.value(
            "SELECT max(id) FROM runs WHERE kind = :kind AND model = :model"
            " AND adapter IS :adapter AND seed = :seed AND settings = :settings"
            " AND snapshots = :snapshots AND version = :version AND status = :status",
            _key(spec) | {"status": status},
        )
        return found

    def unfinished(self, spec: RunSpec) -> list[Run]:
        """The interrupted runs of the same spec but for model and adapter, newest first."""
        return self._connection.read(
            Run,
            "SELECT * FROM runs WHERE kind = :kind AND seed = :seed AND settings = :settings"
            " AND snapshots = :snapshots AND version = :version AND status = :status"
            " ORDER BY id DESC",
            _key(spec) | {"status": RunStatus.INTERRUPTED},
        )

    def is_done(self, kind: RunKind, seed: int) -> bool:
        """Whether a run of that kind and seed is finished, whatever else it was made with."""
        found = self._connection.first(
            "SELECT 1 FROM runs WHERE kind = ? AND seed = ? AND status = ?",
            (kind, seed, RunStatus.DONE),
        )
        return found is not None


def _key(spec: RunSpec) -> dict[str, object]:
    """The columns by which two runs are the same, encoded."""
    columns = columns_of(spec) | {"version": ghostbust.__version__}
    return {name: encode(value) for name, value in columns.items()}


# Which process works on a run. Process ids are used again, so the start belongs to it.

NOBODY: Final = ""
"""the process of what no process works on"""


def this_process() -> str:
    """``pid:start`` of this process; ``start`` is empty where the system doesn't say it."""
    pid = os.getpid()
    return f"{pid}:{start_of(pid) or ''}"


def is_alive(process: str) -> bool:
    """Whether the process of `this_process` runs; only for this machine and container."""
    if process == NOBODY:
        return False
    pid_text, _, start = process.partition(":")
    pid = int(pid_text)
    if start:
        return start_of(pid) == start
    return is_running(pid)
