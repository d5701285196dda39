"""What a report is made of, whatever it is written as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ghostbust.evaluation.report import Estimate, Table
from ghostbust.records import Ecosystem, GateReport, Verdict
from ghostbust.shown import redact


class Quoted(str):
    """Text that others wrote, such as a name or a model: shown as it is, never as markup."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One measured point of a line."""

    x: float
    y: Estimate
    """its interval is drawn where it has one"""


@dataclass(frozen=True, slots=True)
class Line:
    """Points of one thing, from left to right."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot of a few lines. All that it shows stands in a table of the same part, too."""

    title: str
    description: str
    """what it shows, for whoever can't see it"""
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    ticks: Mapping[float, str]
    """what is written below the axis, and where"""
    from_zero: bool = True
    """whether the y axis begins at 0"""


@dataclass(frozen=True, slots=True)
class Part:
    """One section."""

    name: str
    """a word that no other part of the report has"""
    title: str
    text: tuple[str, ...] = ()
    """paragraphs"""
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedIn:
    """An invented name as a report shows it."""

    ecosystem: Ecosystem
    name: Quoted
    """redacted, unless the report was asked to reveal it"""
    key: str
    """hash of the whole name (``adapters.name_key``), the same in every report"""
    verdict: Verdict
    reason: str
    samples: int
    """that named it, of what the report is about"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the store says of one subject."""

    title: str
    lead: tuple[str, ...]
    """what came of it, in sentences"""
    parts: tuple[Part, ...]
    names: tuple[NamedIn, ...]
    """every invented name of the subject"""
    gates: tuple[GateReport, ...]
    made: datetime
    version: str
    """of ghostbust, which made the report"""
    revealed: bool
    """whether unregistered names stand in it in full"""


def shown_name(name: str, *, reveal: bool) -> Quoted:
    """A name as a report may show it."""
    return Quoted(name if reveal else redact(name))
