"""What every section of an evaluation hands back: figures with intervals, in tables.

The command line prints any table and writes any as JSON, so that a section needs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ghostbust.measure import widened_for_few
from ghostbust.statistics import Floats, Interval, percentile_interval

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
class Section:
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
