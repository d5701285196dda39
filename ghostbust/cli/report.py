"""``ghostbust report``: what the store holds of a run, a round, a period or two adapters."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.options import RevealExportedOption, day_option
from ghostbust.documents import plain
from ghostbust.errors import UsageError
from ghostbust.files import write_whole

if TYPE_CHECKING:
    from ghostbust.reports.document import Report
    from ghostbust.store.store import Store

ReportFormat = Literal["md", "html", "json", "csv", "sarif"]
SUBJECTS = "write `run N`, `round N`, `adapters A B`, or nothing for a period"


@invoked_with("home", "quiet")
def report(
    cli: Invocation,
    subject: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUBJECT",
            help="run N, round N, or adapters A B (base for none); nothing for a period.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[date | None, day_option("--since", help="First day of the period.")] = None,
    until: Annotated[date | None, day_option("--until", help="Last day of the period.")] = None,
    shape: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = "md",
    out: Annotated[
        Path | None,
        typer.Option("--out", show_default="standard output", help="File to write, mode 0600."),
    ] = None,
    reveal: RevealExportedOption = False,
) -> None:
    """Report on a run, a round, a period or two adapters, from what is stored. Samples nothing."""
    made = _made(cli.open_store(), subject or [], since, until, reveal=reveal)
    text = _written(made, shape)
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text, error=UsageError)
        cli.output.note(f"report: {out}")


def _made(
    store: Store, subject: Sequence[str], since: date | None, until: date | None, *, reveal: bool
) -> Report:
    """The report on the subject. Raises UsageError for one that can't be."""
    from ghostbust.records import utc_now
    from ghostbust.reports.subjects import (
        comparison_report,
        period_report,
        round_report,
        run_report,
    )

    if subject and (since or until):
        raise UsageError("--since and --until are for a period; leave the subject out")
    if since and until and until < since:
        raise UsageError(f"{until} is before {since}")
    now = utc_now()
    match subject:
        case []:
            return period_report(store, since, until, reveal=reveal, now=now)
        case ["run", number]:
            return run_report(store, _number(number), reveal=reveal, now=now)
        case ["round", number]:
            return round_report(store, _number(number), reveal=reveal, now=now)
        case ["adapters", first, second]:
            return comparison_report(store, first, second, reveal=reveal, now=now)
    raise UsageError(f"there is no report on {' '.join(subject)!r}; {SUBJECTS}")


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise UsageError(f"{text!r} is no number; {SUBJECTS}") from exc


def _written(made: Report, shape: ReportFormat) -> str:
    from ghostbust.reports.writers import as_csv, as_html, as_markdown

    match shape:
        case "md":
            return as_markdown(made)
        case "html":
            return as_html(made)
        case "csv":
            return as_csv(made)
        case "sarif":
            from ghostbust.cli.sarif import report_log

            document: object = report_log(made)
        case "json":
            document = made
    # In plain ASCII, so that no character of it moves a terminal.
    return json.dumps(plain(document), indent=2, allow_nan=False) + "\n"
