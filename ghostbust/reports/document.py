"""What a report is made of, whatever it is written as.

The names of the fields are the keys of ``ghostbust report --format json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.records import Ecosystem, GateReport, Verdict


class Quoted(str):
    """Text that others wrote, such as a name or a model: shown as it is, never as markup."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One measured point of a curve."""

    x: float
    y: Estimate


@dataclass(frozen=True, slots=True)
class ChartCurve:
    """Points of one thing, from left to right."""

    name: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot of a few curves. A table of the same part has all that it shows."""

    title: str
    description: str
    """what it shows, for a reader who can't see it"""
    x_label: str
    y_label: str
    lines: tuple[ChartCurve, ...]
    ticks: Mapping[float, str]
    """place on the x axis and the text below it"""
    from_zero: bool = True
    """whether the y axis begins at 0"""


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One section of a report."""

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
    """of the subject that named it"""


@dataclass(frozen=True, slots=True)
class Report:
    """What the store says of one subject."""

    title: str
    lead: tuple[str, ...]
    """the result, in sentences"""
    parts: tuple[ReportPart, ...]
    names: tuple[NamedIn, ...]
    """every invented name of the subject"""
    gates: tuple[GateReport, ...]
    made: datetime
    version: str
    """of the ghostbust that made the report"""
    revealed: bool
    """whether unregistered names stand in it in full"""
