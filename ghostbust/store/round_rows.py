"""Rows of rounds and their adapters: how far each got, and how it fares at the servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ghostbust.records import (
    Candidate,
    GateVerdict,
)


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
