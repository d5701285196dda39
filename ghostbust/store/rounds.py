"""Rounds, the adapters they made, and what the gates said of them."""

# ruff: noqa: S608 (statements are put together from constants and field names only)

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
    Connection,
    Row,
    StoreNoun,
    columns_of,
    decode,
    encode_time,
    insert,
)
from ghostbust.store.prompts import Prompts
from ghostbust.store.runs import NOBODY, is_alive, this_process


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
        """Whether a process works on the round or has to resume it; a person isn't one."""
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
    """what another process needs to resume it, JSON values; None where none can"""
    attempts: int = 1
    """how often the step after its state was begun"""
    before_run: int | None = None
    """the run that measured the base; None where it isn't known"""
    after_run: int | None = None
    """the run that measured the candidate; None before the gates"""


@dataclass(frozen=True, slots=True)
class AdapterRow:
    """A candidate, the round that made it, and what its gates said."""

    candidate: Candidate
    round_id: int
    version: str
    """of ghostbust, when it was trained"""
    created: datetime
    verdict: GateVerdict | None
    """of its round's gate report; None where it has none yet"""


_ROUNDS: Final = (
    "SELECT r.*, a.name AS adapter FROM rounds r LEFT JOIN adapters a ON a.round_id = r.id"
)
_ADAPTERS: Final = (
    "SELECT a.*, r.verdict AS verdict FROM adapters a JOIN rounds r ON r.id = a.round_id"
)


class Rounds(StoreNoun):
    """The tables ``rounds``, ``adapters`` and ``gate_results``."""

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
        """Adds a round of this process; its number.

        ``settings`` and ``plan`` hold JSON values only; with a plan, another process can resume
        the round. ``before_run`` measured the base.
        """
        at = self._now()
        row = {
            "model": model,
            "method": method,
            "seed": seed,
            "settings": settings,
            "version": ghostbust.__version__,
            "process": this_process(),
            "state": RoundState.STARTED,
            "reason": "",
            "started": at,
            "updated": at,
            "plan": plan,
            "before_run": before_run,
        }
        with self._connection.write() as connection:
            (round_id,) = insert(connection, "rounds", row, "RETURNING id").fetchone()
        return int(round_id)

    def set_state(self, round_id: int, state: RoundState, reason: str = "") -> None:
        """Sets the state and the reason, one line. Raises StoreError if there is no such round."""
        with self._connection.write() as connection:
            self._set_state(connection, round_id, state, reason)

    def add_sets(self, round_id: int, sets: SetSplit) -> None:
        """Stores the sizes and the content id of the selected sets; the state is then SELECTED."""
        with self._connection.write() as connection:
            self._set_state(
                connection,
                round_id,
                RoundState.SELECTED,
                forget=len(sets.forget),
                retain=len(sets.retain),
                holdout=len(sets.holdout),
                sets_id=sets_id(sets),
            )

    def add_candidate(self, round_id: int, candidate: Candidate) -> None:
        """Adds the adapter the round made; the state is then TRAINED.

        Raises StoreError for a name that was used before, and for a round's second adapter.
        """
        with self._connection.write() as connection:
            self._set_state(connection, round_id, RoundState.TRAINED)
            row = columns_of(candidate) | {
                "round_id": round_id,
                "version": ghostbust.__version__,
                "created": self._now(),
            }
            added = insert(connection, "adapters", row, "ON CONFLICT DO NOTHING")
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
            self._set_state(
                connection, round_id, RoundState.GATED, verdict=report.verdict, after_run=after_run
            )
            connection.execute("DELETE FROM gate_results WHERE round_id = ?", (round_id,))
            for position, result in enumerate(report.results):
                low, high = result.ci or (None, None)
                row = {
                    "round_id": round_id,
                    "position": position,
                    "candidate": report.candidate,
                    "gate": result.gate,
                    "verdict": result.verdict,
                    "reason": result.reason,
                    "base_value": result.base,
                    "candidate_value": result.candidate,
                    "ci_low": low,
                    "ci_high": high,
                    "margin": result.margin,
                    # In the gate's order, in which reports list them; NaN is allowed here.
                    "details": json.dumps(result.details),
                }
                insert(connection, "gate_results", row)

    def mark_interrupted(self) -> int:
        """Fails the open rounds without a plan whose process has ended; how many.

        Those with a plan wait for `resume`. Call it while holding the home lock: a process in
        another container seems to have ended.
        """
        gone = [row["id"] for row in self._left_open() if row["plan"] is None]
        with self._connection.write() as connection:
            for round_id in gone:
                self._set_state(connection, round_id, RoundState.FAILED, "its process was killed")
        return len(gone)

    def interrupted(self, model: str) -> Round | None:
        """The model's newest round that has to be resumed; None where there is none.

        Without the home lock the answer is a guess, as for `mark_interrupted`.
        """
        left = [row["id"] for row in self._left_open() if row["plan"] and row["model"] == model]
        return self.get(max(left)) if left else None

    def resume(self, round_id: int) -> None:
        """Makes an interrupted round this process's, which tries its next step once more."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE rounds SET process = ?, attempts = attempts + 1 WHERE id = ?",
                (this_process(), round_id),
            )

    def put_down(self, round_id: int) -> None:
        """Leaves the round to another process; the attempt of this one doesn't count."""
        with self._connection.write() as connection:
            connection.execute(
                "UPDATE rounds SET attempts = max(attempts - 1, 0), process = ?"
                " WHERE id = ? AND process = ?",
                (NOBODY, round_id, this_process()),
            )

    def explain(self, round_id: int, reason: str) -> None:
        """Sets the reason of the round's state, one line."""
        with self._connection.write() as connection:
            connection.execute("UPDATE rounds SET reason = ? WHERE id = ?", (reason, round_id))

    def recent(self, limit: int = 100) -> list[Round]:
        """The newest rounds, newest first."""
        return self._connection.read(Round, f"{_ROUNDS} ORDER BY r.id DESC LIMIT ?", (limit,))

    def get(self, round_id: int) -> Round:
        """The round. Raises StoreError if there is none."""
        found = self._connection.find(Round, f"{_ROUNDS} WHERE r.id = ?", (round_id,))
        if found is None:
            raise StoreError(f"there is no round {round_id}")
        return found

    def gated(self, model: str) -> int:
        """How many of the model's rounds have a gate report, whatever its verdict."""
        sql = "SELECT count(*) FROM rounds WHERE model = ? AND verdict IS NOT NULL"
        return int(self._connection.value(sql, (model,)))

    def judged(self, model: str) -> dict[str, int]:
        """How many of the model's rounds with a gate report each held-out family judged in.

        Of rounds whose candidate's run isn't known (version 0.1) nothing is counted here.
        """
        rows = self._connection.rows(
            "SELECT p.family AS family, count(DISTINCT r.id) AS rounds FROM rounds r"
            " JOIN run_samples l ON l.run_id = r.after_run JOIN samples s ON s.id = l.sample_id"
            " JOIN prompts p ON p.id = s.prompt_id WHERE r.model = ? AND r.verdict IS NOT NULL"
            " GROUP BY p.family",
            (model,),
        )
        return {row["family"]: row["rounds"] for row in rows}

    def adapters(self) -> list[AdapterRow]:
        """Every adapter, newest first."""
        return self._connection.read(AdapterRow, f"{_ADAPTERS} ORDER BY r.id DESC")

    def adapter(self, name: str) -> AdapterRow | None:
        """The adapter of that name; None if no round made it."""
        return self._connection.find(AdapterRow, f"{_ADAPTERS} WHERE a.name = ?", (name,))

    def gate_report(self, round_id: int) -> GateReport | None:
        """What the gates said, in their order; None where they weren't run."""
        rows = self._connection.rows(
            "SELECT gate, verdict, reason, base_value AS base, candidate_value AS candidate,"
            " ci_low, ci_high, margin, details, candidate AS name"
            " FROM gate_results WHERE round_id = ? ORDER BY position",
            (round_id,),
        )
        if not rows:
            return None
        results = (
            decode(
                GateResult,
                row,
                ci=None if row["ci_low"] is None else (row["ci_low"], row["ci_high"]),
            )
            for row in rows
        )
        return GateReport(rows[0]["name"], tuple(results))

    def _left_open(self) -> list[Row]:
        """The open rounds whose process has ended."""
        rows = self._connection.rows("SELECT id, model, state, process, plan FROM rounds")
        return [
            row for row in rows if RoundState(row["state"]).is_open and not is_alive(row["process"])
        ]

    def _set_state(
        self,
        connection: sqlite3.Connection,
        round_id: int,
        state: RoundState,
        reason: str = "",
        **columns: object,
    ) -> None:
        """Sets the state, the reason and these columns; a new state starts to count attempts."""
        more = "".join(f", {column} = :{column}" for column in columns)
        cursor = connection.execute(
            "UPDATE rounds SET attempts = iif(state = :state, attempts, 1), state = :state,"
            f" reason = :reason, updated = :at{more} WHERE id = :id",
            columns
            | {"state": state, "reason": reason, "at": encode_time(self._now()), "id": round_id},
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


class RoundSets:
    """The table ``round_sets``, so that a round that is resumed trains on the same sets."""

    def __init__(self, connection: Connection, answers: Answers, prompts: Prompts) -> None:
        self._connection = connection
        self._answers = answers
        self._prompts = prompts

    def keep(self, round_id: int, sets: SetSplit) -> None:
        """Stores the sets, in place of earlier ones; without the held-out prompts.

        Their answers and prompts are in the store already: they come from it.
        """
        parts = {
            "forget": map(_key, sets.forget),
            "retain": map(_key, sets.retain),
            "base": map(_key, sets.base),
            "probe": ((prompt.id, None) for prompt in sets.probe),
        }
        rows = [
            (round_id, part, position, *item)
            for part, items in parts.items()
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
        """The round's sets with these held-out prompts.

        None where something of them isn't in the store any more, and where none were kept.
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
