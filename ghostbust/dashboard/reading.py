"""What the dashboard shows, read in one go. Never writes, and holds nothing open in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from ghostbust.records import GateReport, Hallucination, utc_now
from ghostbust.store import AdapterRow, NameOrder, RatePoint, Round, RoundState, Run, Store

NAMES: Final = 500
"""most names listed at a time; a search finds the others"""
ROUNDS: Final = 50
"""most rounds listed, the newest"""
RUNS: Final = 8
"""runs listed in the overview, the newest"""
COUNT_CLAIMED_EVERY_S: Final = 30.0
"""the store has no count of claimed names, so the whole ledger is read for it"""


@dataclass(frozen=True, slots=True)
class Query:
    """Which names to list."""

    search: str = ""
    order: NameOrder = NameOrder.TIMES_SEEN


@dataclass(frozen=True, slots=True)
class Counts:
    """Sizes of what the store holds."""

    runs: int
    names: int
    new_names: int
    """first seen since ``last_round`` began; all of them where there was none"""
    last_round: int | None
    """the newest round that didn't fail: a failed one doesn't use its names up"""
    claimed: int


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round with what its gates said."""

    round: Round
    report: GateReport | None
    """None where the gates weren't run"""


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter with the round that made it."""

    row: AdapterRow
    round: Round
    deployed: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store at one time."""

    at: datetime
    query: Query
    """what ``names`` is the answer to"""
    deployed: str | None
    """None for the bare base"""
    previous: str | None
    """what a roll-back would let serve; None for the bare base, also where the base serves"""
    rates: tuple[RatePoint, ...]
    """oldest first"""
    runs: tuple[Run, ...]
    """newest first, as are rounds and adapters"""
    counts: Counts
    names: tuple[Hallucination, ...]
    rounds: tuple[RoundView, ...]
    adapters: tuple[AdapterView, ...]

    def latest_rates(self) -> list[RatePoint]:
        """The newest point of each model, adapter and kind of run: the bases first, then newest.

        Kinds ask different prompts, so one kind's rate doesn't compare with another's.
        """
        latest = {(point.model, point.adapter, point.kind): point for point in self.rates}
        newest = sorted(latest.values(), key=lambda point: point.run_id, reverse=True)
        return sorted(newest, key=lambda point: point.adapter is not None)


class Reader:
    """Reads snapshots. May be called from any thread, one call at a time."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._claimed = 0
        self._claimed_due = 0.0

    def read(self, query: Query) -> Snapshot:
        """The store as it is now. Raises StoreError where there is none yet, or it can't be read.

        Opened anew each time, for under 2 ms: so a database that appears late, is replaced, or
        is read from another thread needs no care.
        """
        with Store.open(self._database, read_only=True) as store:
            return self._read(store, query)

    def _read(self, store: Store, query: Query) -> Snapshot:
        rounds = {one.id: one for one in store.rounds.recent(ROUNDS)}
        moves = store.promotions.all()
        deployed = moves[0].adapter if moves else None
        return Snapshot(
            at=utc_now(),
            query=query,
            deployed=deployed,
            previous=next((m.previous for m in moves if deployed and m.adapter == deployed), None),
            rates=tuple(store.runs.rates()),
            runs=tuple(store.runs.recent(RUNS)),
            counts=self._counts(store, list(rounds.values())),
            names=tuple(
                store.ledger.hallucinations(
                    search=query.search, order=query.order, limit=NAMES, adapter=deployed
                )
            ),
            rounds=tuple(
                RoundView(one, store.rounds.gate_report(one.id)) for one in rounds.values()
            ),
            adapters=tuple(
                AdapterView(
                    row,
                    rounds.get(row.round_id) or store.rounds.get(row.round_id),
                    row.candidate.name == deployed,
                )
                for row in store.rounds.adapters()
            ),
        )

    def _counts(self, store: Store, rounds: Sequence[Round]) -> Counts:
        newest = store.runs.recent(1)
        last = next((one for one in rounds if one.state is not RoundState.FAILED), None)
        if time.monotonic() >= self._claimed_due:
            everything = store.ledger.hallucinations(limit=-1)
            self._claimed = sum(name.claimed_at is not None for name in everything)
            self._claimed_due = time.monotonic() + COUNT_CLAIMED_EVERY_S
        return Counts(
            # Runs are numbered from 1 and never deleted.
            runs=newest[0].id if newest else 0,
            names=store.ledger.count_new_inventions(),
            new_names=store.ledger.count_new_inventions(None if last is None else last.started),
            last_round=None if last is None else last.id,
            claimed=self._claimed,
        )
