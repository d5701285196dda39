"""``ghostbust ingest``: what does the deployed model invent in production?"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.options import (
    AsOfOption,
    ConfigOption,
    HomeOption,
    JsonOption,
    QuietOption,
    RegistryModeOption,
    RevealOption,
)
from ghostbust.cli.output import Output, Stages, cell, table
from ghostbust.cli.sweep import measurement_table
from ghostbust.results import measurement_document
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.ingest.reading import SkippedLines
    from ghostbust.loop.ingest.run import Ingested

SHOWN = 15
"""names in the table"""
NOTHING_READ = 2
"""exit code: there were lines, and none could be read"""


def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Log files or folders, plain or gzip; - reads standard input.",
            show_default=False,
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on reading as they grow, until Ctrl-C.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            show_default="the settings' model.name",
            help="Of answers whose log doesn't say their model.",
        ),
    ] = None,
    keep_prompts: Annotated[
        bool,
        typer.Option(
            "--keep-prompts",
            help="Store the texts of prompts and answers that invent names; else hashes only.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=0,
            show_default="the settings' ingest.workers, one for each core",
            help="Processes that extract and judge.",
        ),
    ] = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read logged completions, judge every package they name, log the invented ones.

    Nothing is sampled. Lines that were read before are passed over. Exits with 0, or with 2 if
    there were lines and none could be read, or if a file couldn't.
    """
    from ghostbust.config import override
    from ghostbust.home import Home

    output = Output(as_json=as_json, quiet=quiet)
    place = Home.open(home)
    settings = override(
        load_settings(config, place),
        model__name=model,
        prompts__keep=keep_prompts or None,
        ingest__workers=workers,
        registry__mode=registry,
        registry__as_of=None if as_of is None else as_of.date(),
    )
    started = time.monotonic()
    with on_interrupt("what was read is kept; the same command goes on from there"):
        read = _read(place, settings, output, paths, follow=follow)
    _report(output, settings, read, reveal, time.monotonic() - started)
    if read.notes or (read.skipped.faulty and not read.completions + read.skipped.without):
        raise typer.Exit(NOTHING_READ)


def _read(
    home: Home, settings: Config, output: Output, paths: list[Path], *, follow: bool
) -> Ingested:
    from ghostbust.loop.ingest.run import ingest as read_logs
    from ghostbust.loop.ingest.run import open_logs

    with (
        Stages(output) as stages,
        open_logs(home, settings) as session,
        _told_to_stop(follow) as stopped,
    ):
        return read_logs(session, paths, follow=follow, stopped=stopped, listener=stages)


@contextmanager
def _told_to_stop(follow: bool) -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came; where nothing is followed, they do what they always do."""
    told: list[int] = []
    if not follow:
        yield lambda: False
        return

    def note(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(told)
    finally:
        for one, action in before.items():
            signal.signal(one, action)


def _report(output: Output, settings: Config, read: Ingested, reveal: bool, wall_s: float) -> None:
    if read.measurement is not None:
        rows = {"all": read.measurement}
        if len(read.by_model) > 1:
            rows |= {_who(*who): measured for who, measured in read.by_model.items()}
        else:
            rows |= read.measurement.by_context
        output.result.print(measurement_table(rows))
    names = [
        (one.name if reveal else redact(one.name), one.verdict, one.reason, one.answers)
        for one in read.named
    ]
    if names:
        made = table("invented", "verdict", "reason", "answers", title="named most often")
        for row in names[:SHOWN]:
            made.add_row(*map(cell, row))
        output.result.print(made)
    output.line(_summary(read))
    for note in read.notes:
        output.note(note)
    if read.skipped.faulty:
        output.note(_skipped(read.skipped, read.first_skipped_in))
    if read.skipped.first_unread is not None:
        line, why = read.skipped.first_unread
        first = f"first {read.first_unread_in}, line {line}: {why}"
        output.note(f"read {read.skipped.unread:,} answers in part only, {first}")
    output.document(_document(settings, read, names, wall_s))


def _who(model: str, adapter: str | None) -> str:
    return model if adapter is None else f"{model} + {adapter}"


def _summary(read: Ingested) -> str:
    """One line of what was read."""
    parts = [f"{read.completions:,} completions in {read.lines:,} new lines"]
    if read.inventing:
        parts.append(f"{read.inventing:,} of them invent a name")
    if read.reserved:
        parts.append(f"{read.reserved:,} more answer an external suite, so they weren't kept")
    if read.skipped.without:
        parts.append(f"{read.skipped.without:,} records without an answer")
    if read.unfinished:
        parts.append(f"{read.unfinished} unfinished last lines, left for the next time")
    return "; ".join(parts)


def _skipped(skipped: SkippedLines, file: str) -> str:
    """One line of what couldn't be read."""
    kinds = {
        "malformed": skipped.malformed,
        "of an unknown format": skipped.unknown,
        "too long": skipped.too_long,
        "given up": len(skipped.failed),
    }
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    line, why = skipped.first or (0, "")
    return f"skipped {skipped.faulty:,} lines ({told}), first {file}, line {line}: {why}"


def _document(
    settings: Config, read: Ingested, names: Sequence[tuple[str, str, str, int]], wall_s: float
) -> dict[str, object]:
    """The JSON document that docs/reference/cli.md shows."""
    from ghostbust.measure import measurement_of

    measured = read.measurement or measurement_of({})
    skipped = read.skipped
    return {
        "registry": settings.registry.mode,
        "run": read.run_id,
        "lines": read.lines,
        "completions": read.completions,
        "inventing": read.inventing,
        "reserved": read.reserved,
        "without_answer": skipped.without,
        "unfinished": read.unfinished,
        "skipped": {
            "malformed": skipped.malformed,
            "unknown": skipped.unknown,
            "too_long": skipped.too_long,
            "failed": len(skipped.failed),
            "first_file": read.first_skipped_in or None,
            "first_line": skipped.first and skipped.first[0],
        },
        "unread": {
            "answers": skipped.unread,
            "first_file": read.first_unread_in or None,
            "first_line": skipped.first_unread and skipped.first_unread[0],
            "reason": skipped.first_unread and skipped.first_unread[1],
        },
        "unreadable": read.notes,
        **measurement_document(measured),
        "by_context": {k: measurement_document(m) for k, m in measured.by_context.items()},
        "by_model": [
            {"model": model, "adapter": adapter, "run": read.runs.get((model, adapter))}
            | measurement_document(m)
            for (model, adapter), m in read.by_model.items()
        ],
        "invented": [
            {"name": name, "verdict": verdict, "reason": reason, "answers": count}
            for name, verdict, reason, count in names
        ],
        "wall_s": round(wall_s, 1),
    }
