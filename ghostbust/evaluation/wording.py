"""Figures as text: with their interval or spread, in as many decimals as tell something."""

from __future__ import annotations

import math

from ghostbust.evaluation.report import Estimate, Spread

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
