"""Rounds, the adapters they made, and what the gates said of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import ghostbust
from ghostbust.errors import StoreError
from ghostbust.records import (
    Answer,
    Candidate,
    GateReport,
    GateResult,
    GateVerdict,
    Prompt,
    SetSplit,
    content_id,
)
from ghostbust.store.answers import Answers, judgement_of
from ghostbust.store.connection import (
    NOBODY,
    Connection,
    Row,
    decode_json,
    decode_time,
    encode_json,
    encode_time,
    is_alive,
    this_process,
)
from ghostbust.store.prompts import Prompts

# --- round_rows
# Rows of rounds and their adapters: how far each got, and how it fares at the servers.


class RoundState(StrEnum):
    """How far a round got."""

    STARTED = "started"
    SELECTED = "selected"
    TRAINED = "trained"
    GATED = "gated"
    CANARY = "canary"
    """passed its gates and is being tried at the servers, then let serve"""
    WAITING = "waiting"
    """passed its gates and waits for a person to promote it"""
    PROMOTED = "promoted"
    REJECTED = "rejected"
    """a gate didn't pass, a canary failed, or a person said no"""
    ROLLED_BACK = "rolled-back"
    """served, and was taken back"""
    FAILED = "failed"
    """ended by an error, or given up"""

    @property
    def is_open(self) -> bool:
        """True where a process works on the round, or has to go on with it; a person isn't one."""
        return self in (self.STARTED, self.SELECTED, self.TRAINED, self.GATED, self.CANARY)


@dataclass(frozen=True, slots=True)
class Round:
    """One pass from select to promote."""

    id: int
    """the round's number, from 1"""
    model: str
    method: str
    seed: int
    settings: Mapping[str, object]
    version: str
    """of ghostbust, when the round began"""
    state: RoundState
    reason: str
    """why it is in this state, in one line; empty where the state says it all"""
    started: datetime
    updated: datetime
    """when its state last changed"""
    forget: int | None
    """answers to unlearn; None before the sets are selected, as for the next three"""
    retain: int | None
    """answers to keep"""
    holdout: int | None
    """held-out prompts"""
    sets_id: str | None
    """content id of the sets: the same for the same samples and prompts"""
    adapter: str | None
    """its candidate; None before training"""
    verdict: GateVerdict | None
    """of its gate report; None before the gates"""
    plan: Mapping[str, object] | None = None
    """what it takes to go on with it, JSON values; None where nobody can"""
    attempts: int = 1
    """how often the step after its state was begun"""
    before_run: int | None = None
    """the run that measured the base; None where it isn't noted"""
    after_run: int | None = None
    """the run that measured the candidate; None before the gates"""


@dataclass(frozen=True, slots=True)
class Requests:
    """What a run's requests to model servers came to."""

    answered: int
    failed: int
    """that no server gave a usable answer to, each try counted"""
    median_s: float | None
    """time of an answered one; None where none was"""

    @property
    def made(self) -> int:
        """All of them."""
        return self.answered + self.failed

    @property
    def error_rate(self) -> float:
        """The share that failed; 0 where nothing was asked."""
        return self.failed / self.made if self.made else 0.0


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """A candidate with where it comes from and what its gates said."""

    candidate: Candidate
    round_id: int
    version: str
    """of ghostbust, when it was trained"""
    created: datetime
    verdict: GateVerdict | None
    """of its round's gate report; None where it has none yet"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An adapter at one replica."""

    replica: str
    """the replica's address"""
    adapter: str
    loaded: datetime
    """when it was last loaded there"""
    unloaded: datetime | None
    """when it was unloaded; None as long as it wasn't"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one side of a canary, the base or the adapter, answered."""

    asked: int
    failed: int
    """requests without a usable answer"""
    empty: int
    """answers without a visible character"""
    invented: int
    """invented names in the answers to the forget set's prompts, distinct in each"""
    real: int
    """real ones"""
    median_s: float
    """median time of an answer, in seconds; NaN where there is none"""
    overlap: float
    """share of words that its general answers have in common with the base's; 1 for the base"""

    @property
    def rate(self) -> float:
        """invented / (invented + real), in [0, 1]; NaN where nothing was named."""
        named = self.invented + self.real
        return self.invented / named if named else float("nan")


@dataclass(frozen=True, slots=True)
class Canary:
    """What an adapter showed at one replica, before clients got it."""

    replica: str
    adapter: str
    passed: bool
    reason: str
    """every limit that was broken, in one line; the figures where none was"""
    base: Figures
    figures: Figures
    """the adapter's"""
    at: datetime


_ROUNDS: Final = (
    "SELECT r.*, a.name AS adapter FROM rounds r LEFT JOIN adapters a ON a.round_id = r.id"
)
_ADAPTERS: Final = (
    "SELECT a.*, r.verdict AS verdict FROM adapters a JOIN rounds r ON r.id = a.round_id"
)


class Rounds:
    """The tables ``rounds``, ``adapters`` and ``gate_results``."""

    def __init__(self, connection: Connection, now: Callable[[], datetime]) -> None:
        self._connection = connection
        self._now = now

    def start(
        self,
        *,
        model: str,
        method: str,
        seed: int,
        settings: Mapping[str, object],
        plan: Mapping[str, object] | None = None,
        before_run: int | None = None,
    ) -> int:
        """The number of a new round of this process.

        ``settings`` and ``plan`` hold JSON values only; with a plan, another process can go on
        with the round. ``before_run`` measured the base.
        """
        at = encode_time(self._now())
        with self._connection.write() as connection:
            (round_id,) = connection.execute(
                "INSERT INTO rounds (model, method, seed, settings, version, process, state,"
                " reason, started, updated, plan, before_run)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?) RETURNING id",
                (
                    model,
                    method,
                    seed,
                    encode_json(settings),
                    ghostbust.__version__,
                    this_process(),
                    RoundState.STARTED,
                    at,
                    at,
                    None if plan is None else encode_json(plan),
                    before_run,
                ),
            ).fetchone()
        return int(round_id)

    def set_state(self, round_id: int, state: RoundState, reason: str = "") -> None:
        """Moves the round on, with why in one line. Raises StoreError if there is no such round."""
        with self._connection.write() as connection:
            self._set_state(connection, round_id, state, reason)

    def add_sets(self, round_id: int, sets: SetSplit) -> None:
        """Notes the sizes and the content id of the selected sets; the state is then SELECTED."""
        with self._connection.write() as connection:
            self._set_state(connection, round_id, RoundState.SELECTED)
            connection.execute(
                "UPDATE rounds SET forget = ?, retain = ?, holdout = ?, sets_id = ? WHERE id = ?",
                (
                    len(sets.forget),
                    len(sets.retain),
                    len(sets.holdout),
                    sets_id(sets),
                    round_id,
                ),
            )

    def add_candidate(self, round_id: int, candidate: Candidate) -> None:
        """Adds the adapter the round made; the state is then TRAINED.

        Raises StoreError for a name that was used before, and for a round's second adapter.
        """
        with self._connection.write() as connection:
            self._set_state(connection, round_id, RoundState.TRAINED)
            added = connection.execute(
                "INSERT INTO adapters (name, round_id, path, model, method, seed, steps,"
                " final_loss, train_s, version, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    candidate.name,
                    round_id,
                    str(candidate.path),
                    candidate.model,
                    candidate.method,
                    candidate.seed,
                    candidate.steps,
                    candidate.final_loss,
                    candidate.train_s,
                    ghostbust.__version__,
                    encode_time(self._now()),
                ),
            )
            if not added.rowcount:
                raise StoreError(
                    f"round {round_id} has an adapter already, or another round has one named"
                    f" {candidate.name}"
                )

    def add_gate_report(
        self, round_id: int, report: GateReport, after_run: int | None = None
    ) -> None:
        """Adds what the gates said, in place of an earlier report; the state is then GATED.

        ``after_run`` measured the candidate.
        """
        with self._connection.write() as connection:
            self._set_state(connection, round_id, RoundState.GATED)
            connection.execute(
                "UPDATE rounds SET verdict = ?, after_run = ? WHERE id = ?",
                (report.verdict, after_run, round_id),
            )
            connection.execute("DELETE FROM gate_results WHERE round_id = ?", (round_id,))
            connection.executemany(
                "INSERT INTO gate_results (round_id, position, candidate, gate, verdict, reason,"
                " base_value, candidate_value, ci_low, ci_high, margin, details)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (round_id, position, report.candidate, *_gate_values(result))
                    for position, result in enumerate(report.results)
                ],
            )

    def mark_interrupted(self) -> int:
        """Fails the open rounds that have no plan and whose process is gone; how many there were.

        Those with a plan wait for `resume`. Call it while holding the home lock: a process in
        another container looks gone.
        """
        gone = [row["id"] for row in self._left_open() if row["plan"] is None]
        with self._connection.write() as connection:
            for round_id in gone:
                self._set_state(connection, round_id, RoundState.FAILED, "its process was killed")
        return len(gone)

    def interrupted(self, model: str) -> Round | None:
        """The model's newest round that has to be gone on with; None where there is none.

        As for `mark_interrupted`, hold the home lock, or take the answer for a guess.
        """
        left = [row["id"] for row in self._left_open() if row["plan"] and row["model"] == model]
        return self.get(max(left)) if left else None

    def resume(self, round_id: int) -> None:
        """Makes an interrupted round this process's, which begins its next step once more."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE rounds SET process = ?, attempts = attempts + 1 WHERE id = ?",
                (this_process(), round_id),
            )

    def put_down(self, round_id: int) -> None:
        """Notes that this process leaves the round as it is, and the attempt doesn't count."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE rounds SET attempts = max(attempts - 1, 0), process = ?"
                " WHERE id = ? AND process = ?",
                (NOBODY, round_id, this_process()),
            )

    def explain(self, round_id: int, reason: str) -> None:
        """Says why the round is where it is, in one line."""
        with self._connection.write() as connection:
            connection.execute("UPDATE rounds SET reason = ? WHERE id = ?", (reason, round_id))

    def recent(self, limit: int = 100) -> list[Round]:
        """The newest rounds, newest first."""
        rows = self._connection.rows(_ROUNDS + " ORDER BY r.id DESC LIMIT ?", (limit,))
        return [_round(row) for row in rows]

    def get(self, round_id: int) -> Round:
        """The round. Raises StoreError if there is none."""
        row = self._connection.first(_ROUNDS + " WHERE r.id = ?", (round_id,))
        if row is None:
            raise StoreError(f"there is no round {round_id}")
        return _round(row)

    def gated(self, model: str) -> int:
        """How many of the model's rounds the gates have looked at, whatever they said."""
        row = self._connection.first(
            "SELECT count(*) AS gated FROM rounds WHERE model = ? AND verdict IS NOT NULL", (model,)
        )
        return 0 if row is None else int(row["gated"])

    def adapters(self) -> list[AdapterRow]:
        """Every adapter, newest first."""
        return [_adapter(row) for row in self._connection.rows(_ADAPTERS + " ORDER BY r.id DESC")]

    def adapter(self, name: str) -> AdapterRow | None:
        """The adapter of that name; None if no round made it."""
        row = self._connection.first(_ADAPTERS + " WHERE a.name = ?", (name,))
        return None if row is None else _adapter(row)

    def gate_report(self, round_id: int) -> GateReport | None:
        """What the gates said, in their order; None where they weren't run."""
        rows = self._connection.rows(
            "SELECT * FROM gate_results WHERE round_id = ? ORDER BY position", (round_id,)
        )
        if not rows:
            return None
        return GateReport(rows[0]["candidate"], tuple(_gate_result(row) for row in rows))

    def _left_open(self) -> list[Row]:
        """The open rounds whose process is gone."""
        rows = self._connection.rows("SELECT id, model, state, process, plan FROM rounds")
        return [
            row for row in rows if RoundState(row["state"]).is_open and not is_alive(row["process"])
        ]

    def _set_state(
        self, connection: sqlite3.Connection, round_id: int, state: RoundState, reason: str = ""
    ) -> None:
        cursor = connection.execute(
            "UPDATE rounds SET attempts = iif(state = :state, attempts, 1), state = :state,"
            " reason = :reason, updated = :at WHERE id = :id",
            {"state": state, "reason": reason, "at": encode_time(self._now()), "id": round_id},
        )
        if not cursor.rowcount:
            raise StoreError(f"there is no round {round_id}")


def sets_id(sets: SetSplit) -> str:
    """A content id of the sets that doesn't depend on the order within them."""
    return content_id(
        *sorted(answer.sample.id for answer in sets.forget),
        "retain",
        *sorted(answer.sample.id for answer in sets.retain),
        "holdout",
        *sorted(prompt.id for prompt in sets.holdout),
    )


def _gate_values(result: GateResult) -> tuple[object, ...]:
    low, high = result.ci or (None, None)
    return (
        result.gate,
        result.verdict,
        result.reason,
        result.base,
        result.candidate,
        low,
        high,
        result.margin,
        json.dumps(result.details),
    )


def _gate_result(row: Row) -> GateResult:
    return GateResult(
        gate=row["gate"],
        verdict=GateVerdict(row["verdict"]),
        reason=row["reason"],
        base=row["base_value"],
        candidate=row["candidate_value"],
        ci=None if row["ci_low"] is None else (row["ci_low"], row["ci_high"]),
        margin=row["margin"],
        details=decode_json(row["details"]),
    )


def _round(row: Row) -> Round:
    return Round(
        id=row["id"],
        model=row["model"],
        method=row["method"],
        seed=row["seed"],
        settings=decode_json(row["settings"]),
        version=row["version"],
        state=RoundState(row["state"]),
        reason=row["reason"],
        started=decode_time(row["started"]),
        updated=decode_time(row["updated"]),
        forget=row["forget"],
        retain=row["retain"],
        holdout=row["holdout"],
        sets_id=row["sets_id"],
        adapter=row["adapter"],
        verdict=None if row["verdict"] is None else GateVerdict(row["verdict"]),
        plan=None if row["plan"] is None else decode_json(row["plan"]),
        attempts=row["attempts"],
        before_run=row["before_run"],
        after_run=row["after_run"],
    )


def _adapter(row: Row) -> AdapterRow:
    return AdapterRow(
        candidate=Candidate(
            name=row["name"],
            path=Path(row["path"]),
            model=row["model"],
            method=row["method"],
            seed=row["seed"],
            steps=row["steps"],
            final_loss=row["final_loss"],
            train_s=row["train_s"],
        ),
        round_id=row["round_id"],
        version=row["version"],
        created=decode_time(row["created"]),
        verdict=None if row["verdict"] is None else GateVerdict(row["verdict"]),
    )


# --- round_sets
# What a round's sets hold, so that a round that was cut off trains on the same ones.


class RoundSets:
    """The table ``round_sets``."""

    def __init__(self, connection: Connection, answers: Answers, prompts: Prompts) -> None:
        self._connection = connection
        self._answers = answers
        self._prompts = prompts

    def keep(self, round_id: int, sets: SetSplit) -> None:
        """Notes the sets, in place of earlier ones; without the held-out prompts.

        Their answers and prompts are in the store already: they come from it.
        """
        rows = [
            (round_id, part, position, *item)
            for part, items in (
                ("forget", map(_key, sets.forget)),
                ("retain", map(_key, sets.retain)),
                ("base", map(_key, sets.base)),
                ("probe", ((prompt.id, None) for prompt in sets.probe)),
            )
            for position, item in enumerate(items)
        ]
        with self._connection.write() as connection:
            connection.execute("DELETE FROM round_sets WHERE round_id = ?", (round_id,))
            connection.executemany(
                "INSERT INTO round_sets (round_id, part, position, item, judgement)"
                " VALUES (?, ?, ?, ?, ?)",
                rows,
            )

    def get(self, round_id: int, holdout: tuple[Prompt, ...]) -> SetSplit | None:
        """The round's sets with these held-out prompts; None where something isn't there any more.

        None as well where nothing was noted.
        """
        rows = self._connection.rows(
            "SELECT part, item, judgement FROM round_sets WHERE round_id = ?"
            " ORDER BY part, position",
            (round_id,),
        )
        parts = {
            part: [(row["item"], row["judgement"]) for row in rows if row["part"] == part]
            for part in ("forget", "retain", "base", "probe")
        }
        answers = {
            part: tuple(self._answers.get(parts[part])) for part in ("forget", "retain", "base")
        }
        found = [self._prompts.get(key) for key, _ in parts["probe"]]
        probe = tuple(prompt for prompt in found if prompt is not None)
        whole = all(len(answers[part]) == len(parts[part]) for part in answers)
        if not rows or not whole or len(probe) != len(found):
            return None
        return SetSplit(answers["forget"], answers["retain"], holdout, probe, answers["base"])


def _key(answer: Answer) -> tuple[str, str]:
    return answer.sample.id, judgement_of(answer)
