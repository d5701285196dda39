"""What the store keeps beyond the records of the line: runs, reviews, and what is read of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Measurement,
    Verdict,
)


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


class NameOrder(StrEnum):
    """What the ledger is listed by. Counts and times run downwards, names upwards."""

    TIMES_SEEN = "times_seen"
    PROMPTS = "prompts"
    REPEATS = "repeats"
    """how surely it comes back: the lower end of the 95 % interval of that share"""
    FIRST_SEEN = "first_seen"
    LAST_SEEN = "last_seen"
    NAME = "name"


class Decision(StrEnum):
    """What a person says of an invented name."""

    ACCEPT = "accept"
    """it is invented; nothing else changes"""
    IGNORE = "ignore"
    """it isn't listed any more, unless asked for"""
    ALLOW = "allow"
    """it is theirs: `ghostbust check` passes it over, and no round trains on it"""
    REOPEN = "reopen"
    """the earlier decision is taken back"""


@dataclass(frozen=True, slots=True)
class Review:
    """One decision on an invented name."""

    ecosystem: Ecosystem
    name: str
    """not redacted"""
    decision: Decision
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What makes two runs the same one: with it, a run can be made again or gone on with."""

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


def curve_names(points: Iterable[RatePoint]) -> dict[tuple[str, str | None], str]:
    """What to call each model with its adapter, by both, where the rates of all are drawn.

    An adapter's name, or ``base``; with the model's name where two would be called the same.
    """
    plain = {(one.model, one.adapter): one.adapter or "base" for one in points}
    often = Counter(plain.values())
    return {who: name if often[name] == 1 else f"{name} of {who[0]}" for who, name in plain.items()}


@dataclass(frozen=True, slots=True)
class Alarm:
    """An invented name that was found registered: a likely slopsquat."""

    id: int
    ecosystem: Ecosystem
    name: str
    at: datetime
    """when the recheck found it"""
    first_released: datetime | None
    """when its oldest file or version that is left was published; None where nobody said"""
    uploader: str
    """who published it, as far as the registry says; may be empty"""
    evidence: str
    """what was asked and what it said, one line"""
    times_seen: int
    """distinct samples that named it"""
    told: tuple[str, ...]
    """whom the alarm has reached: ``webhook``, ``command``"""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A log file, and how far it was read."""

    id: int | None
    """the number of the file; None before it has one"""
    path: str
    """where it lay when it was read last"""
    device: int
    inode: int
    head_bytes: int
    """bytes in ``head``"""
    head: str
    """hash of its first bytes"""
    tail: str
    """hash of the bytes in front of ``offset``"""
    offset: int
    """bytes passed; of a gz file, as they are unpacked"""
    lines: int
    """lines passed"""


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """An answer of a log that invents a name, with where it stands."""

    answer: Answer
    line: int
    """1-based number of its line in the file"""
    logged: datetime | None
    """when, by the log; None where it doesn't say"""


@dataclass(frozen=True, slots=True)
class NamedOften:
    """An invented name with how many answers of some runs named it."""

    name: str
    verdict: Verdict
    reason: str
    answers: int


@dataclass(frozen=True, slots=True)
class PromptStats:
    """One prompt of the pool with what it has paid so far."""

    prompt_id: str
    context: Context
    ecosystem: Ecosystem
    family: str
    domain: str
    parent: str | None
    operator: str | None
    times_sampled: int
    """distinct samples drawn from it, with any adapter"""
    invented_names: int
    """distinct invented names its samples named"""
    last_sampled: datetime | None
    """None where it was never sampled"""


@dataclass(frozen=True, slots=True)
class DrawnName:
    """An invented name in one sample."""

    ecosystem: Ecosystem
    name: str
    new: bool
    """True in the first sample ever that named it"""


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample as discovery counts it: what it cost, and what it found."""

    prompt_id: str
    adapter: str | None
    seed: int
    cost: int
    """tokens generated; a quarter of the characters where the model's server doesn't count"""
    names: tuple[DrawnName, ...]
    """distinct, without those that the prompt had named already"""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One use of an operator on a prompt."""

    operator: str
    parent: str
    """id of the prompt"""
    child: str | None
    """id of the prompt that came of it; None where none did"""
    tokens: int
    """generated by the model that was asked to rewrite; 0 where none was"""
    model: str
    adapter: str | None
    seed: int
    """of the choice that it is a part of"""


@dataclass(frozen=True, slots=True)
class OperatorCount:
    """What became of an operator's rewritings."""

    operator: str
    asked: int
    written: int
    """gave a prompt"""
    paid: int
    """gave a prompt that elicited an invented name"""
    tokens: int
    """generated to write them"""


@dataclass(frozen=True, slots=True)
class PoolPrompt:
    """One prompt of the pool as a person looks at it."""

    prompt_id: str
    text: str | None
    """None where it wasn't kept"""
    context: Context
    ecosystem: Ecosystem
    family: str
    domain: str
    parent: str | None
    operator: str | None
    private: bool
    added: datetime
    samples: int
    """distinct samples drawn from it, with any adapter"""
    invented_names: int
    """distinct invented names that they named"""
    quiet: int
    """samples since the last that named an invention; all of them where none did"""
    last_sampled: datetime | None
    """None where it was never sampled"""
    pruned: datetime | None
    """when it was taken out of the pool, not to be chosen again; None for most"""
    other_parent: str | None = None
    """the second prompt that a crossover was made from"""

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of what it was made from: none, one or two."""
        return tuple(one for one in (self.parent, self.other_parent) if one is not None)
