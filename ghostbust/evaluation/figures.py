"""The records of an evaluation: figures with intervals, tables of them, objections to an adapter.

Every section of ``ghostbust eval`` and every bench returns an `EvaluationSection`: the command line
prints any `Table` and writes any as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ghostbust.measure import widened_for_few
from ghostbust.statistics import Floats, Interval, percentile_interval

BASE, AGAIN = "base", "base again"
ALL = "all"
"""all contexts together"""
LEVEL = 0.95
FEWEST_NAMES = 50
"""with fewer names of the base nothing can be said: the ``hallucination`` gate's limit, too"""
FEWEST_FAMILIES = 10
"""with fewer, a bootstrap over families says nothing: the gates' limit, too"""
LEAST_SUPPORTED, MOST_NAMES = 0.95, 1.05
"""supported and all names per answer, as shares of the base's"""
LEAST_DISTINCT = 0.8
"""different real names, as a share of the base's"""
MOST_MORE = 0.02
"""how much larger a share may be than the base's: of unsupported and unknown names, of faults"""
MOST_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval."""

    value: float
    """NaN where it isn't defined, such as a rate where nothing was named"""
    low: float
    high: float
    """ends of the 95 % bootstrap interval, if the table notes no other, widened for shares of few
    families (`share_estimate`); NaN where there is none"""


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs, such as those of several seeds."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Table:
    """Figures of one kind, a row for each thing that was measured."""

    title: str
    """a few words that no other table of its section has"""
    rows: tuple[dict[str, object], ...]
    """column to an ``Estimate``, a ``Spread``, a number, a text, or None where it doesn't apply"""
    notes: tuple[str, ...] = ()
    """what a reader has to know to read the figures right, a sentence each"""


@dataclass(frozen=True)
class EvaluationSection:
    """What one section of ``ghostbust eval`` found."""

    name: str
    """as ``--section`` has it"""
    tables: tuple[Table, ...]
    draw: Callable[[], Mapping[str, str]] = dict
    """file names to SVG; called only where plots are wanted, since it needs matplotlib"""


def estimate(values: Floats) -> Estimate:
    """The figure and its interval from (1 + R,) values: as measured, then of each resample.

    Resamples in which the figure isn't defined are left out.
    """

    import numpy as np

    known = values[1:][~np.isnan(values[1:])]
    interval: Interval = (math.nan, math.nan)
    if len(known) and not math.isnan(values[0]):
        interval = percentile_interval(known, LEVEL)
    return Estimate(float(values[0]), *interval)


def share_estimate(values: Floats, clusters: int) -> Estimate:
    """`estimate` of a share of counts in so many ``clusters``, widened where these are few."""
    found = estimate(values)
    return Estimate(found.value, *widened_for_few((found.low, found.high), found.value, clusters))


def shown(value: object) -> str:
    """A cell's text: a figure with its interval or spread, a number, or the value as it is.

    Figures have three decimals, or as many as show two digits of the largest number. There is no
    blank inside an interval, so that a narrow column breaks the line before it.
    """
    match value:
        case Estimate(figure, low, high) | Spread(figure, low, high):
            numbers = (figure, low, high)
        case None:
            return "–"
        case float():
            return "–" if math.isnan(value) else f"{value:.3g}"
        case _:
            return str(value)
    if math.isnan(figure):
        return "–"
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0)
    decimals = max(3, 1 - math.floor(math.log10(largest))) if largest else 3
    text, first, last = (f"{x:.{min(decimals, MOST_DECIMALS)}f}" for x in numbers)
    return text if math.isnan(low) else f"{text} ({first}..{last})"


class Group(StrEnum):
    """The groups of tokens in which locality measures the distance to the base."""

    PACKAGES = "package names"
    AROUND = "rest of those answers"
    CODE = "general code"
    TEXT = "general text"


# The figures of behaviour


@dataclass(frozen=True, slots=True)
class ChangeFromBase:
    """One model's figures set against the base's."""

    drop: Estimate
    """1 - rate / the base's; of several contexts with the base's weights"""
    answer_drop: Estimate
    """1 - rate per answer / the base's"""
    supported: Estimate
    """supported names per answer / the base's"""
    all: Estimate
    """all names per answer, real, invented and unknown / the base's"""
    distinct: Estimate
    """different real names in as many answers / the base's"""
    unsupported: Estimate
    """unsupported share of the real names minus the base's"""
    unknown: Estimate
    """unknown share of all names minus the base's"""
    faults: Mapping[str, Estimate]
    """share of the answers minus the base's, by fault"""


@dataclass(frozen=True, slots=True)
class NewNames:
    """The rate without the names that an adapter was trained to forget."""

    share: float
    """of the base's inventions; NaN where it has none"""
    rate: Estimate
    base_rate: Estimate
    """the base's, the same names left out of it"""
    drop: Estimate


@dataclass(frozen=True, slots=True)
class Induced:
    """Inventions that the prompt named first, such as the import that a question is about, and
    those that it didn't.
    """

    share: float
    """of the model's inventions, those that the prompt named; NaN where it has none"""
    drop: Estimate | None
    """1 - such inventions per answer / the base's; None for the base itself"""
    other_drop: Estimate | None
    """the same of all the others"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Packages beside the code that needs them, in shares; None of nothing."""

    missing: Estimate | None
    """imports that the answer's own install line doesn't name"""
    unused: Estimate | None
    """names of the install line that nothing imports"""
    agreeing: Estimate | None
    """answers with an install line in which neither occurs"""
    recall: Estimate | None
    """packages of the code that was asked about which the answer names"""
    precision: Estimate | None
    """names of the answer that this code imports"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One model in one context at one temperature."""

    model: str
    """`BASE`, `AGAIN`, or an adapter's name"""
    temperature: float
    context: str
    """a ``Context``, or ``all``"""
    families: int
    """of the prompts"""
    answers: int
    names: int
    """invented and real ones, distinct within each answer"""
    local: int
    """names that could not be judged, as imports that may mean a module which the answer shows"""
    unmapped: int
    """the same of imports that no table ties to a distribution"""
    installers: int
    """names of what installs packages, which count nowhere else"""
    distinct: int
    """different real names"""
    rate: Estimate
    """invented / (invented + real)"""
    answer_rate: Estimate
    """answers with at least one invention / answers"""
    supported: Estimate
    """per answer: real names that another answer of the base to the prompt has, too"""
    volume: Estimate
    """real names per answer"""
    all: Estimate
    """real, invented and unknown names per answer"""
    unsupported: Estimate
    """the rest of the real names, as a share of them"""
    unknown: Estimate
    """names that can't be judged, as a share of all"""
    naming: Estimate
    """answers with a real name / answers"""
    agreement: Agreement
    faults: Mapping[str, Estimate]
    """share of the answers, by fault; also ``truncated``, which by itself is none"""
    change: ChangeFromBase | None
    """None for the base itself"""
    new_names: NewNames | None
    """None where it isn't known what the model was trained to forget, as for the base"""
    induced: Induced


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Every model's figures."""

    figures: tuple[Figures, ...]
    """by temperature, then model in the order given, then context with ``all`` first"""

    def of(self, temperature: float, context: str = ALL) -> dict[str, Figures]:
        """The figures of each model, by name."""
        return {
            one.model: one
            for one in self.figures
            if (one.temperature, one.context) == (temperature, context)
        }

    @property
    def temperatures(self) -> tuple[float, ...]:
        """In the order given."""
        return tuple(dict.fromkeys(one.temperature for one in self.figures))

    def objections(self, model: str, temperature: float) -> tuple[str, ...]:
        """What is surely worse than the base, beyond chance and the limits above. Not for the base.

        A limit is crossed where the whole 95 % interval lies beyond it. So a model without
        objections isn't proved harmless, and the base itself, asked again, has some now and then.
        """
        whole = self.of(temperature)
        base, own = whole[BASE], whole[model]
        if base.names < FEWEST_NAMES:
            return (f"the base names {base.names} packages, too few to judge by",)
        if base.families < FEWEST_FAMILIES:
            return (f"{base.families} tasks are too few to judge by",)
        found = []
        for one in self.figures:
            if (one.model, one.temperature) != (model, temperature):
                continue
            if one.change is None or one.families < FEWEST_FAMILIES:
                continue
            where = "" if one.context == ALL else f" ({one.context})"
            if one.change.supported.high < LEAST_SUPPORTED:
                found.append(f"names fewer supported packages{where}")
            if one.change.all.low > MOST_NAMES:
                found.append(f"names more packages{where}")
        change, new = own.change, own.new_names
        if change is None:
            return tuple(found)
        if change.unsupported.low > MOST_MORE:
            found.append("names other packages")
        if change.unknown.low > MOST_MORE:
            found.append("names more that can't be judged")
        if change.distinct.high < LEAST_DISTINCT:
            found.append("names fewer different packages")
        found += [
            f"more {name} answers"
            for name, more in change.faults.items()
            if more.low > MOST_MORE and name != "truncated"
        ]
        # Surely less than half of the drop is on names that it wasn't trained to forget.
        if new and change.drop.low > 0 and new.drop.high < change.drop.value / 2:
            found.append("forgets little but the names that it was shown")
        return tuple(found)
