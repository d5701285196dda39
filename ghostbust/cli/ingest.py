"""``ghostbust ingest``: what does the deployed model invent in production?"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.options import AsOfOption, RegistryModeOption, RevealOption
from ghostbust.cli.output import Output, Stages
from ghostbust.cli.sweep import print_invented, print_measurements
from ghostbust.results import invented_document, measurement_document
from ghostbust.text import redact

if TYPE_CHECKING:
    from ghostbust.loop.ingest.run import Ingested
    from ghostbust.results import InventedName

NOTHING_READ = 2
"""exit code: there were lines, and none could be read"""


@invoked_with("home", "config", "as_json", "quiet")
def ingest(
    cli: Invocation,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
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
            metavar="NAME",
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
) -> None:
    """Read logged completions, judge every package they name, log the invented ones.

    Nothing is sampled. Lines that were read before are skipped. Exits with 0, or with 2 if
    there were lines and none could be read, or if a file couldn't.
    """
    from ghostbust.loop.ingest.run import ingest as read_logs
    from ghostbust.loop.ingest.run import open_logs

    settings = cli.configure(
        model__name=model,
        prompts__keep=keep_prompts or None,
        ingest__workers=workers,
        registry__mode=registry,
        registry__as_of=as_of,
    )
    with (
        on_interrupt("what was read is kept; the same command goes on from there"),
        Stages(cli.output) as stages,
        open_logs(cli.make_home(), settings) as session,
        _stop_signals(follow) as stopped,
    ):
        read = read_logs(session, paths, follow=follow, stopped=stopped, listener=stages)
    in_full = cli.output.names_in_full(reveal)
    names = [
        (one.name if in_full else redact(one.name), one.verdict, one.reason, one.answers)
        for one in read.named
    ]
    _print(cli.output, read, names)
    cli.output.document(
        {"registry": settings.registry.mode, **_document(read, names), "wall_s": cli.wall_s}
    )
    if read.notes or (read.skipped.faulty and not read.completions + read.skipped.without):
        raise typer.Exit(NOTHING_READ)


@contextmanager
def _stop_signals(follow: bool) -> Iterator[Callable[[], bool]]:
    """Whether SIGINT or SIGTERM came. Without ``follow`` they do what they always do."""
    came: list[int] = []
    if not follow:
        yield lambda: False
        return

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    before = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for one, action in before.items():
            signal.signal(one, action)


def _print(output: Output, read: Ingested, names: Sequence[InventedName]) -> None:
    if read.measurement is not None:
        rows = {"all": read.measurement}
        if len(read.by_model) > 1:
            rows |= {
                model if adapter is None else f"{model} + {adapter}": measured
                for (model, adapter), measured in read.by_model.items()
            }
        else:
            rows |= read.measurement.by_context
        print_measurements(output, rows)
    print_invented(output, names)
    counts = [f"{read.completions:,} completions in {read.lines:,} new lines"]
    if read.inventing:
        counts.append(f"{read.inventing:,} of them invent a name")
    if read.reserved:
        counts.append(f"{read.reserved:,} answer tasks for evaluation only: they weren't kept")
    if read.skipped.without:
        counts.append(f"{read.skipped.without:,} records without an answer")
    if read.unfinished:
        counts.append(f"{read.unfinished} unfinished last lines, left for the next time")
    output.line("; ".join(counts))
    for note in read.notes:
        output.note(note)
    skipped = read.skipped
    if skipped.faulty:
        kinds = {
            "malformed": skipped.malformed,
            "of an unknown format": skipped.unknown,
            "too long": skipped.too_long,
            "given up": len(skipped.failed),
        }
        which = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
        line, why = skipped.first or (0, "")
        where = f"first {read.first_skipped_in}, line {line}: {why}"
        output.note(f"skipped {skipped.faulty:,} records ({which}), {where}")
    if skipped.first_unread is not None:
        line, why = skipped.first_unread
        where = f"first {read.first_unread_in}, line {line}: {why}"
        output.note(f"read {skipped.unread:,} answers in part only, {where}")


def _document(read: Ingested, names: Sequence[InventedName]) -> dict[str, object]:
    """The JSON document that docs/reference/cli.md shows."""
    from ghostbust.measure import measurement_of

    skipped = read.skipped
    return {
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
        **measurement_document(read.measurement or measurement_of({}), contexts=True),
        "by_model": [
            {"model": model, "adapter": adapter, "run": read.runs.get((model, adapter))}
            | measurement_document(measured)
            for (model, adapter), measured in read.by_model.items()
        ],
        "invented": invented_document(names),
    }
