"""What a report is made of, whatever it is written as.

The names of the fields are the keys of ``ghostbust report --format json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.records import Context, Ecosystem, GateReport, GateVerdict, Verdict

Light = Literal["good", "bad", "open", "plain"]
"""shown, shown to be otherwise, can't tell, and no verdict at all"""


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
class BarGroup:
    """The same figure of each series, in one context."""

    name: str
    figures: tuple[Estimate, ...]
    """one for each series"""


@dataclass(frozen=True, slots=True)
class BarChart:
    """One figure by context, a bar for each series. A table of the same part has it, too."""

    title: str
    aim: str
    """which way is good, in a few words"""
    series: tuple[str, ...]
    """what is compared, in the order of the bars"""
    groups: tuple[BarGroup, ...]
    is_share: bool
    """whether the figures are shares, shown in percent"""


@dataclass(frozen=True, slots=True)
class BadgeFact:
    """The short answer to one question of a reader."""

    asks: str
    figure: str
    """the answer in a word or two"""
    said: str
    """the rest of it, a sentence"""


@dataclass(frozen=True, slots=True)
class Badge:
    """What a reader learns in half a minute."""

    light: Light
    verdict: str
    """one line"""
    facts: tuple[BadgeFact, ...]


@dataclass(frozen=True, slots=True)
class GateLight:
    """One gate of a round, at a glance."""

    gate: Quoted
    asks: str
    """what it asks, for a reader who doesn't know it; empty for a gate of a plug-in"""
    verdict: GateVerdict
    said: Quoted
    """what was shown"""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an answer."""

    text: Quoted
    """redacted where it is a name that may be unregistered, unless the report reveals them"""
    verdict: Verdict | None = None
    """on the package that it names; None for text that names none"""


@dataclass(frozen=True, slots=True)
class AnswerPair:
    """Two models' answers to one prompt, as far as a page has room for them."""

    context: Context
    prompt: Quoted
    answers: Mapping[str, tuple[Piece, ...]]
    """by model, in the order in which they are compared"""


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
    bars: tuple[BarChart, ...] = ()
    lights: tuple[GateLight, ...] = ()
    pairs: tuple[AnswerPair, ...] = ()
    folded: frozenset[str] = frozenset()
    """titles of tables and plots that the page shows when asked to"""


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
    badge: Badge | None
    """None where there is nothing to judge"""
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
