"""``ghostbust bench daemon``: does the daemon's memory stay as it is over many runs of its jobs?"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ghostbust.cli.options import JsonOption, QuietOption
from ghostbust.cli.output import Output, Stages, cell, table


def daemon(
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs of jobs that are measured.")] = (
        10_000
    ),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Drive the schedule in simulated time, with jobs that do nothing, and measure the memory."""
    from ghostbust.loop.cycles import run_cycles

    output = Output(as_json=as_json, quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="ghostbust-") as folder, Stages(output) as stages:
        stages.begin("run the jobs")
        found = run_cycles(Path(folder) / "home", runs, stages.advance)
    shown = table("measured", "before", "after", "more")
    for name, before, after in (
        ("Python's heap (kB)", found.heap_before, found.heap_after),
        ("process (kB)", found.rss_before, found.rss_after),
    ):
        more = f"{(after - before) / 1000:+,.1f}"
        shown.add_row(*map(cell, (name, f"{before / 1000:,.1f}", f"{after / 1000:,.1f}", more)))
    output.result.print(shown)
    output.line(
        f"{found.runs:,} runs in {found.simulated_days:.1f} simulated days, {found.wall_s:.0f} s;"
        f" {found.bytes_per_run:+.2f} bytes of the heap for each run"
    )
    output.document(
        {
            "runs": found.runs,
            "simulated_days": round(found.simulated_days, 2),
            "wall_s": round(found.wall_s, 1),
            "heap_before": found.heap_before,
            "heap_after": found.heap_after,
            "rss_before": found.rss_before,
            "rss_after": found.rss_after,
            "bytes_per_run": round(found.bytes_per_run, 3),
        }
    )
