"""The figures of an evaluation of behaviour: records, and what is to be objected to in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ghostbust.measure import widened_for_few
from ghostbust.statistics import Floats, Interval, percentile_interval

# --- report
# What every section of an evaluation hands back: figures with intervals, in tables.
#
# The command line prints any table and writes any as JSON, so that a section needs nothing else.

LEVEL = 0.95


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
    """file names to SVG; asked only where plots are wanted, which takes matplotlib"""


def share_estimate(values: Floats, clusters: int) -> Estimate:
    """`estimate` of a share of counts in so many ``clusters``, widened where these are few."""
    found = estimate(values)
    return Estimate(found.value, *widened_for_few((found.low, found.high), found.value, clusters))


def estimate(values: Floats, level: float = LEVEL) -> Estimate:
    """The figure and its interval of (1 + R,) values: as measured, then of each resample.

    Resamples in which it isn't defined are left out.
    """
    known = values[1:][~np.isnan(values[1:])]
    interval: Interval = (math.nan, math.nan)
    if len(known) and not math.isnan(values[0]):
        interval = percentile_interval(known, level)
    return Estimate(float(values[0]), *interval)


BASE, AGAIN = "base", "base again"
ALL = "all"
"""all contexts together"""
FEWEST_NAMES = 50
"""with fewer names of the base nothing can be said: the ``hallucination`` gate's limit, too"""
FEWEST_FAMILIES = 10
"""with fewer, a bootstrap over families says nothing: the gates' limit, too"""
VOLUME_BAND = (0.9, 1.1)
"""real names per answer, as a share of the base's"""
LEAST_OVERLAP = 0.9
"""overlap with the base, as a share of the base's with itself"""


@dataclass(frozen=True, slots=True)
class ChangeFromBase:
    """One arm set against the base."""

    drop: Estimate
    """1 - rate / the base's"""
    answer_drop: Estimate
    """1 - rate per answer / the base's"""
    volume_ratio: Estimate
    """real names per answer / the base's"""
    length_distance: Estimate
    """total variation between the distributions of list lengths"""
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
    """of the arm's inventions, those that the prompt named; NaN where it has none"""
    drop: Estimate | None
    """1 - such inventions per answer / the base's; None for the base itself"""
    other_drop: Estimate | None
    """the same of all the others"""


@dataclass(frozen=True, slots=True)
class Overlap:
    """What an arm's real names have in common with the base's."""

    dice: Estimate
    """2·|A ∩ B| / (|A| + |B|), answers to the same prompt"""
    ratio: Estimate
    """that / the base's with itself"""
    own_ratio: Estimate | None
    """the arm's with itself / the base's with itself: over 1, it varies less from answer to
    answer; None with one sample a prompt"""
    common: Estimate
    """what the shares of the names in all answers have in common"""
    common_ratio: Estimate
    """that / the base's with itself"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One arm in one context at one temperature."""

    arm: str
    temperature: float
    context: str
    """a ``Context``, or ``all``"""
    families: int
    """of the prompts"""
    answers: int
    names: int
    """invented and real ones, distinct within each answer"""
    unknown: int
    """names that could not be judged: in no figure"""
    local: int
    """of these, imports that may mean a module which the answer shows"""
    unmapped: int
    """of these, imports that no table ties to a distribution"""
    rate: Estimate
    """invented / (invented + real)"""
    answer_rate: Estimate
    """answers with at least one invention / answers"""
    volume: Estimate
    """real names per answer"""
    lengths: tuple[float, ...]
    """share of the answers with so many real names, by ``counting.BINS``"""
    faults: Mapping[str, Estimate]
    """share of the answers, by fault; also ``truncated``, which by itself is none"""
    change: ChangeFromBase | None
    """None for the base itself"""
    new_names: NewNames | None
    """None where it isn't known what the arm forgot, as for the base"""
    induced: Induced
    overlap: Overlap | None
    """None for the base itself, and at temperature 0, where there is no yardstick"""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Every arm's figures."""

    figures: tuple[Figures, ...]
    """by temperature, then arm in the order given, then context with ``all`` first"""

    def of(self, temperature: float, context: str = ALL) -> dict[str, Figures]:
        """The figures of each arm, by name."""
        return {
            one.arm: one
            for one in self.figures
            if (one.temperature, one.context) == (temperature, context)
        }

    @property
    def temperatures(self) -> tuple[float, ...]:
        """In the order given."""
        return tuple(dict.fromkeys(one.temperature for one in self.figures))

    def objections(self, arm: str, temperature: float) -> tuple[str, ...]:
        """What is surely worse than the base, beyond chance and the limits above. Not for the base.

        A limit is crossed where the whole 95 % interval lies beyond it: so an arm without
        objections isn't proved harmless, and one that is the base has some now and then, as the
        row of the base itself shows.
        """
        whole = self.of(temperature)
        own = [one for one in self.figures if (one.arm, one.temperature) == (arm, temperature)]
        if whole[BASE].names < FEWEST_NAMES:
            return (f"the base names {whole[BASE].names} packages, too few to judge by",)
        if whole[BASE].families < FEWEST_FAMILIES:
            return (f"{whole[BASE].families} tasks are too few to judge by",)
        yardstick = whole[AGAIN].change if AGAIN in whole else None
        found = [said for one in own for said in _less_or_more(one)]
        found += _other_names(whole[arm])
        found += _other_lengths(whole[arm].change, yardstick)
        found += _faulty(whole[arm].change)
        found += _memorised(whole[arm])
        return tuple(found)


def _less_or_more(one: Figures) -> list[str]:
    if one.change is None or one.families < FEWEST_FAMILIES:
        return []
    where = "" if one.context == ALL else f" ({one.context})"
    ratio = one.change.volume_ratio
    if ratio.high < VOLUME_BAND[0]:
        return [f"recommends less{where}"]
    return [f"recommends more{where}"] if ratio.low > VOLUME_BAND[1] else []


def _other_names(one: Figures) -> list[str]:
    if one.overlap is None:
        return []
    highest = min(one.overlap.ratio.high, one.overlap.common_ratio.high)
    return ["recommends other packages"] if highest < LEAST_OVERLAP else []


def _other_lengths(change: ChangeFromBase | None, yardstick: ChangeFromBase | None) -> list[str]:
    if change is None or yardstick is None:
        return []
    longer = change.length_distance.low > yardstick.length_distance.high
    return ["its lists have other lengths"] if longer else []


def _faulty(change: ChangeFromBase | None) -> list[str]:
    if change is None:
        return []
    return [
        f"more {name} answers"
        for name, more in change.faults.items()
        if more.low > 0 and name != "truncated"
    ]


def _memorised(one: Figures) -> list[str]:
    """Its drop on new names is surely less than half of the whole one."""
    if one.change is None or one.new_names is None or one.change.drop.low <= 0:
        return []
    shown_only = one.new_names.drop.high < one.change.drop.value / 2
    return ["forgets little but the names that it was shown"] if shown_only else []


# --- wording
# Figures as text: with their interval or spread, in as many decimals as tell something.

MOST_DECIMALS = 6


def shown(value: object) -> str:
    """A cell's text: a figure with its interval or spread, a number, or as it is."""
    match value:
        case Estimate():
            return _figure(value.value, value.low, value.high)
        case Spread():
            return _figure(value.mean, value.least, value.most)
        case None:
            return "–"
        case float():
            return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def _figure(*numbers: float) -> str:
    """Value, low and high in three decimals, or as many as tell two digits of the largest.

    Without a blank in the interval, so that a narrow column breaks the line before it.
    """
    if math.isnan(numbers[0]):
        return "–"
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0)
    decimals = max(3, 1 - math.floor(math.log10(largest))) if largest else 3
    value, low, high = (f"{x:.{min(decimals, MOST_DECIMALS)}f}" for x in numbers)
    return value if math.isnan(numbers[1]) else f"{value} ({low}..{high})"
