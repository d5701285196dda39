"""A report as one HTML page that asks nobody for anything: no script, no font, no picture.

The template escapes whatever it is given; a policy in the page's head forbids it to load or run
anything, should that ever fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ghostbust.evaluation.report import Estimate, Spread, Table
from ghostbust.evaluation.wording import shown
from ghostbust.reports import drawing
from ghostbust.reports.records import Quoted, Report
from ghostbust.reports.tables import when
from ghostbust.shown import visible

SHORT = 28
"""characters of a cell that stands in one line"""
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
    environment.filters |= {"visible": _visible, "shown": _shown, "when": when}
    environment.globals |= {"columns": _columns, "style": _style, "drawing": drawing}
    return environment.get_template("report.html.j2")


def _visible(text: str) -> str:
    """Control and direction characters as escapes."""
    return visible(str(text))


def _shown(value: object) -> str:
    return visible(shown(value))


def _style(value: object, *, figures: bool) -> str:
    """A cell's classes: a figure in a column of ``figures``, others' text, or ours."""
    classes = ["figure" if figures else "quoted" if isinstance(value, Quoted) else "text"]
    if isinstance(value, str) and not isinstance(value, Quoted) and value in VERDICTS:
        classes.append(VERDICTS[value])
    if len(_shown(value)) <= SHORT:
        classes.append("short")
    return " ".join(classes)


def _columns(table: Table) -> dict[str, bool]:
    """The table's columns, in the order in which its rows have them, and which hold figures."""
    names = dict.fromkeys(column for row in table.rows for column in row)
    return {name: _of_figures([row.get(name) for row in table.rows]) for name in names}


def _of_figures(values: Sequence[object]) -> bool:
    """Whether all values that are known are figures; so is nothing where none is known."""
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(v, Estimate | Spread | int | float) for v in known)
