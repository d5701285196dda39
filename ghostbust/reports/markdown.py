"""A report as Markdown (GitHub's, whose tables other readers know, too).

Text that others wrote stands in code spans, where nothing is a link, a mention, HTML or a picture;
the two characters that would end a span or a cell are shown as escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ghostbust.evaluation.report import Table
from ghostbust.evaluation.wording import shown
from ghostbust.reports.records import Part, Quoted, Report
from ghostbust.reports.tables import when
from ghostbust.shown import visible

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
