"""Tables of an evaluation for people: figures with their intervals, in as few digits as will do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ghostbust.cli.output import cell, table

if TYPE_CHECKING:
    from ghostbust.evaluation.report import Estimate, Table

MOST_DECIMALS = 6


def shown_table(one: Table) -> object:
    """A section's table for people: what doesn't exist is a dash."""
    columns = list(dict.fromkeys(column for row in one.rows for column in row))
    made = table(*columns, title=one.title)
    for row in one.rows:
        made.add_row(*(cell(shown(row.get(column))) for column in columns))
    return made


def shown(value: object) -> str:
    """A cell's text: a figure with its interval, a number with three digits, or as it is."""
    from ghostbust.evaluation.report import Estimate

    match value:
        case Estimate():
            return _figure(value)
        case None:
            return "–"
        case float():
            return "–" if math.isnan(value) else f"{value:.3g}"
    return str(value)


def _figure(figure: Estimate) -> str:
    """Value and interval in three decimals, or as many as tell two digits of the largest of them.

    Without a blank in the interval, so that a narrow column breaks the line before it.
    """
    if math.isnan(figure.value):
        return "–"
    numbers = (figure.value, figure.low, figure.high)
    largest = max((abs(x) for x in numbers if math.isfinite(x)), default=0)
    decimals = max(3, 1 - math.floor(math.log10(largest))) if largest else 3
    value, low, high = (f"{x:.{min(decimals, MOST_DECIMALS)}f}" for x in numbers)
    return value if math.isnan(figure.low) else f"{value} ({low}..{high})"
