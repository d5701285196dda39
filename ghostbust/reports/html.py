"""A report as one HTML page that asks nobody for anything: no script, no font, no picture.

The template escapes whatever it is given; a policy in the page's head forbids it to load or run
anything, should that ever fail.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ghostbust.evaluation.report import Estimate, Spread, Table
from ghostbust.evaluation.wording import shown
from ghostbust.reports import drawing
from ghostbust.reports.records import Quoted, Report
from ghostbust.reports.tables import when
from ghostbust.shown import visible

VERDICTS = {
    "PASS": "good", "REAL": "good", "promoted": "good", "FAIL": "bad", "ABSENT": "bad",
    "SUSPECT": "bad", "rejected": "bad", "failed": "bad", "INCONCLUSIVE": "open",
    "UNKNOWN": "open", "waiting": "open", "interrupted": "open",
}  # fmt: skip
"""words that the page colours; each still says what it means"""


def as_html(report: Report) -> str:
    """The whole page."""
    return _template().render(report=report)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("ghostbust.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"visible": _visible, "kind": _kind, "shown": _shown, "when": when}
    environment.globals |= {
        "columns": _columns,
        "verdicts": VERDICTS,
        "drawing": drawing,
    }
    return environment.get_template("report.html.j2")


def _visible(text: str) -> str:
    """Control and direction characters as escapes."""
    return visible(str(text))


def _shown(value: object) -> str:
    return visible(shown(value))


def _kind(value: object) -> str:
    """How a cell is set: as a figure, as others' text, or as ours."""
    match value:
        case Estimate() | Spread() | int() | float():
            return "figure"
        case Quoted():
            return "quoted"
    return "text"


def _columns(table: Table) -> list[str]:
    """The table's columns, in the order in which its rows have them."""
    return list(dict.fromkeys(column for row in table.rows for column in row))
