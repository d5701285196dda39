"""``ghostbust bench ingest``: how fast logs of production are read, and in how much memory."""

from __future__ import annotations

from typing import Annotated

import typer

from ghostbust.cli.options import JsonOption, QuietOption, SeedOption
from ghostbust.cli.output import Output, cell, table

WANTED_PER_MINUTE = 100_000
"""completions that two cores should read"""


def ingest(
    completions: Annotated[
        list[int] | None,
        typer.Option(
            "--completions",
            min=1,
            show_default="5000, then 20000",
            help="Completions in a log; may be repeated, to see that memory doesn't grow.",
        ),
    ] = None,
    chars: Annotated[
        int, typer.Option("--chars", min=100, help="Characters of an answer, about.")
    ] = 1000,
    context: Annotated[
        int, typer.Option("--context", min=0, help="Characters that a user quotes, about.")
    ] = 0,
    invented: Annotated[
        float,
        typer.Option("--invented", min=0, max=1, help="Share of answers that invent a name."),
    ] = 0.05,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=0, show_default="one for each core", help="Processes."),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read made-up logs by `ghostbust ingest`, beside extraction alone in one process."""
    from ghostbust.bench.ingest import Size, measure_ingest

    output = Output(as_json=as_json, quiet=quiet)
    size = Size(tuple(completions or (5000, 20_000)), chars, context, invented, workers, seed)
    result = measure_ingest(size, output.note)
    output.document(
        {
            "size": size,
            "extraction_per_s": result.extraction_per_s,
            "extraction_per_cpu_s": result.extraction_per_cpu_s,
            "runs": [
                {
                    "completions": run.completions,
                    "log_bytes": run.log_bytes,
                    "wall_s": run.wall_s,
                    "cpu_s": run.cpu_s,
                    "per_s": run.per_s,
                    "per_cpu_s": run.per_cpu_s,
                    "peak_bytes": run.peak_bytes,
                }
                for run in result.runs
            ],
            "ratio": result.ratio,
            "wanted": {"per_minute": WANTED_PER_MINUTE},
        }
    )
    shown = table("completions", "log", "seconds", "per s", "per core s", "peak memory")
    for run in result.runs:
        shown.add_row(
            cell(f"{run.completions:,}"), cell(f"{run.log_bytes / 1e6:,.1f} MB"),
            cell(f"{run.wall_s:.1f}"), cell(f"{run.per_s:,.0f}"), cell(f"{run.per_cpu_s:,.0f}"),
            cell(f"{run.peak_bytes / 1e6:,.0f} MB"),
        )  # fmt: skip
    output.result.print(shown)
    output.line(
        f"extraction alone, in one process: {result.extraction_per_s:,.0f} completions/s, "
        f"{result.extraction_per_cpu_s:,.0f} in a core's second"
    )
    per_minute = result.runs[-1].per_s * 60
    output.line(
        f"ingest of the largest log: {result.ratio:.2f} times as fast, {per_minute:,.0f} a minute"
        f" (wanted of two cores: {WANTED_PER_MINUTE:,})"
    )
