"""Tables of an evaluation for people: figures with their intervals, in as few digits as will do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ghostbust.cli.output import cell, table

if TYPE_CHECKING:
    from ghostbust.evaluation.report import Estimate, Table


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
            if value.value != value.value:
                return "–"
            digits = _decimals(value)
            low, high = (f"{end:.{digits}f}" for end in (value.low, value.high))
            return f"{value.value:.{digits}f} ({low} to {high})"
        case None:
            return "–"
        case float():
            return "–" if value != value else f"{value:.3g}"
    return str(value)


def _decimals(figure: Estimate) -> int:
    """Three, or as many as tell two digits of the largest of its numbers; six at most."""
    numbers = [abs(x) for x in (figure.value, figure.low, figure.high) if math.isfinite(x)]
    largest = max(numbers)
    return 3 if not largest else min(6, max(3, 1 - math.floor(math.log10(largest))))
