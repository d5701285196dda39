"""A report as one CSV table: a row for each figure, so that a program can filter it.

Text that a spreadsheet would compute has an apostrophe in front (``shown.no_formula``).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from ghostbust.evaluation.figures import Estimate, Spread, Table, shown
from ghostbust.reports import drawing
from ghostbust.reports.figures import Part, Quoted, Report
from ghostbust.reports.tables import when
from ghostbust.text import no_formula, visible

# --- html
# A report as one HTML page that asks nobody for anything: no script, no font, no picture.
#
# The template escapes whatever it is given; a policy in the page's head forbids it to load or run
# anything, should that ever fail.

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


# --- markdown
# A report as Markdown (GitHub's, whose tables other readers know, too).
#
# Text that others wrote stands in code spans, where nothing is a link, a mention, HTML or a
# picture;
# the two characters that would end a span or a cell are shown as escapes.

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!])")
_REACHES_OUT = re.compile(r"://|www\.|@|mailto:|xmpp:", re.I)
"""what GitHub makes a link or a mention of, escaped or not"""


def as_markdown(report: Report) -> str:
    """The whole report; ends with a newline. Plots are left out: the tables have their figures."""
    return "\n".join(_lines(report)) + "\n"


def code(text: str) -> str:
    """Any text as a code span that ends where the text does; ``-`` for an empty one."""
    kept = visible(text).replace("`", "\\x60").replace("|", "\\x7c").strip()
    return f"`{kept}`" if kept else "–"


def prose(text: str) -> str:
    """A sentence of ours as plain text; as a code span where others' words in it reach out."""
    return code(text) if _REACHES_OUT.search(text) else _escaped(text)


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", visible(text))


def _lines(report: Report) -> Iterator[str]:
    yield f"# {prose(report.title)}"
    for said in report.lead:
        yield from ("", prose(said))
    for part in report.parts:
        yield from _part_lines(part)
    shown_in = "in full" if report.revealed else "shortened"
    yield from (
        "",
        f"Made {when(report.made)} by ghostbust {prose(report.version)}; unregistered names"
        f" {shown_in}.",
    )


def _part_lines(part: Part) -> Iterator[str]:
    yield from ("", f"## {prose(part.title)}")
    for paragraph in part.text:
        yield from ("", prose(paragraph))
    for table in part.tables:
        yield from ("", f"### {prose(table.title)}", "")
        yield from _table_lines(table)
        for note in table.notes:
            yield from ("", prose(note))


def _table_lines(table: Table) -> Iterator[str]:
    columns = list(dict.fromkeys(column for row in table.rows for column in row))
    if not columns:
        yield "None."
        return
    yield f"| {' | '.join(prose(column) for column in columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in table.rows:
        yield f"| {' | '.join(_cell(row.get(column)) for column in columns)} |"


def _cell(value: object) -> str:
    return code(value) if isinstance(value, Quoted) else prose(shown(value))


# --- tidy_csv
# A report as one CSV table: a row for each figure, so that a program can filter it.
#
# Text that a spreadsheet would compute has an apostrophe in front (``shown.no_formula``).

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
