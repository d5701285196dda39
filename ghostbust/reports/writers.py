"""A report as an HTML page, as Markdown, or as one CSV table.

Names, models and reasons are text that others wrote (``Quoted``). No reader obeys them: HTML has
them escaped, Markdown in code spans, CSV with an apostrophe in front of formulas.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from functools import cache
from io import StringIO

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ghostbust.evaluation.figures import Estimate, Spread, Table, shown
from ghostbust.records import Verdict
from ghostbust.reports import drawing
from ghostbust.reports.badges import WORDS, light_of
from ghostbust.reports.bars import bars_svg
from ghostbust.reports.document import BarChart, Quoted, Report, ReportPart
from ghostbust.reports.tables import when
from ghostbust.text import no_formula, visible

SHORT = 28
"""characters of a cell that the page doesn't wrap"""
VERDICTS = {
    "PASS": "good", "REAL": "good", "promoted": "good", "FAIL": "bad", "ABSENT": "bad",
    "SUSPECT": "bad", "rejected": "bad", "failed": "bad", "INCONCLUSIVE": "open",
    "UNKNOWN": "open", "waiting": "open", "interrupted": "open",
}  # fmt: skip
"""words that the page colours; each still says what it means"""
SIGNS = {"good": "✓", "bad": "✗", "open": "?", "plain": "i"}
"""in a light, so that its colour isn't all that it says"""
MARKS = {
    Verdict.REAL: ("good", "real"),
    Verdict.ABSENT: ("bad", "invented"),
    Verdict.SUSPECT: ("bad", "suspect"),
    Verdict.UNKNOWN: ("open", "unknown"),
}
"""verdict on a name in an answer to its colour and word"""


def as_html(report: Report) -> str:
    """One page without script, font or picture, which asks no server for anything.

    The template escapes whatever it is given. Should that ever fail, a policy in the page's head
    forbids it to load or run anything.
    """
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
    environment.filters |= {
        "visible": lambda text: visible(str(text)), "shown": _shown, "when": when,
        "lines": _lines_of,
    }  # fmt: skip
    environment.globals |= {
        "columns": _columns, "style": _style, "drawing": drawing, "bars_svg": _bars, "signs": SIGNS,
        "marks": MARKS, "light_of": light_of, "words": WORDS, "summary": _summary,
        "is_folded": _is_folded,
    }  # fmt: skip
    return environment.get_template("report.html.j2")


def _bars(chart: BarChart) -> Markup:
    return Markup(bars_svg(chart))  # noqa: S704 (it escapes each text)


def _summary(part: ReportPart) -> str:
    """What is folded away in the part, in a line."""
    plots = [chart.title for chart in part.charts if chart.title in part.folded]
    tables = [
        f"{table.title} ({len(table.rows)} rows)"
        for table in part.tables
        if table.title in part.folded
    ]
    return f"Show {', '.join([*plots, *tables])}"


def _is_folded(part: ReportPart) -> bool:
    """Whether all of the part is folded away, so that there is nothing to print."""
    titles = {one.title for one in part.tables} | {one.title for one in part.charts}
    seen = titles - part.folded
    return not (seen or part.text or part.bars or part.lights or part.pairs)


def _lines_of(text: str) -> str:
    """A text of several lines, each made `visible`."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _shown(value: object) -> str:
    return visible(shown(value))


def _style(value: object, *, figures: bool) -> str:
    """A cell's CSS classes; ``figures``: whether its column holds figures only."""
    classes = ["figure" if figures else "quoted" if isinstance(value, Quoted) else "text"]
    if isinstance(value, str) and not isinstance(value, Quoted) and value in VERDICTS:
        classes.append(VERDICTS[value])
    if len(_shown(value)) <= SHORT:
        classes.append("short")
    return " ".join(classes)


def _columns(table: Table) -> dict[str, bool]:
    """Each column of the table, in the order of its rows, and whether it holds figures only."""
    found = {}
    for name in dict.fromkeys(column for row in table.rows for column in row):
        known = [row[name] for row in table.rows if row.get(name) is not None]
        figures = (isinstance(value, Estimate | Spread | int | float) for value in known)
        found[name] = bool(known) and all(figures)
    return found


_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#&!])")
_LINKED = re.compile(r"://|www\.|@|mailto:|xmpp:", re.I)
"""what GitHub makes a link or a mention, escaped or not"""


def as_markdown(report: Report) -> str:
    """GitHub's Markdown, which other readers know, too; ends with a newline.

    Plots are left out: the tables have their figures. So are answers. Text that others wrote stands
    in code spans, where nothing is a link, a mention, HTML or a picture.
    """
    return "\n".join(_lines(report)) + "\n"


def code(text: str) -> str:
    """Any text as a code span; a dash for an empty one.

    The two characters that would end a span or a cell are written as escapes.
    """
    kept = visible(text).replace("`", "\\x60").replace("|", "\\x7c").strip()
    return f"`{kept}`" if kept else "–"


def prose(text: str) -> str:
    """A sentence of ours as plain text; as a code span if a word in it would become a link."""
    return code(text) if _LINKED.search(text) else _SPECIAL.sub(r"\\\1", visible(text))


def _lines(report: Report) -> Iterator[str]:
    yield f"# {prose(report.title)}"
    if report.badge is not None:
        yield from ("", f"**{prose(report.badge.verdict)}**", "")
        for fact in report.badge.facts:
            yield f"- {prose(fact.asks)} **{prose(fact.figure)}**: {prose(fact.said)}"
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


def _part_lines(part: ReportPart) -> Iterator[str]:
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


COLUMNS = ("part", "table", "row", "column", "value", "low", "high")


def as_csv(report: Report) -> str:
    """Every table of the report, a row for each figure, so that a program can filter it.

    ``low`` and ``high`` are the interval's ends, else empty.
    """
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
