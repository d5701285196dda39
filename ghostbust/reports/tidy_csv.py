"""A report as one CSV table: a row for each figure, so that a program can filter it.

Text that a spreadsheet would compute has an apostrophe in front (``shown.no_formula``).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from io import StringIO

from ghostbust.evaluation.report import Estimate, Spread
from ghostbust.reports.records import Report
from ghostbust.shown import no_formula

COLUMNS = ("part", "table", "row", "column", "value", "low", "high")


def as_csv(report: Report) -> str:
    """Every table of the report; ``low`` and ``high`` are the interval's ends, else empty."""
    text = StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(report))
    return text.getvalue()


def safe(value: object) -> object:
    """A cell: a number as it is, any other value as text that no spreadsheet computes."""
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case int():
            return value
        case float():
            return value if math.isfinite(value) else ""
    return no_formula(str(value))


def _rows(report: Report) -> Iterator[tuple[object, ...]]:
    for part in report.parts:
        for table in part.tables:
            for number, row in enumerate(table.rows):
                for column, value in row.items():
                    where = (part.name, safe(table.title), number, safe(column))
                    yield (*where, *(safe(one) for one in _values(value)))


def _values(value: object) -> tuple[object, object, object]:
    match value:
        case Estimate():
            return value.value, value.low, value.high
        case Spread():
            return value.mean, value.least, value.most
    return value, None, None
