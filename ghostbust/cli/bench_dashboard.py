"""``ghostbust bench dashboard``: how fast the dashboard is on a big store."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from ghostbust.cli.edge import FINDINGS
from ghostbust.cli.options import JsonOption, QuietOption
from ghostbust.cli.output import Output, cell, table

OPEN_S, ACT_S, PEAK_BYTES = 1.0, 0.2, 200e6
"""what opening, a sort or a search, and the memory of the names may come to at most"""


def dashboard(
    refs: Annotated[int, typer.Option("--refs", min=100, help="Package refs.")] = 1_000_000,
    names: Annotated[int, typer.Option("--names", min=300, help="Invented names.")] = 50_000,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="Times it is opened; the medians count.")
    ] = 3,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Open the dashboard on a store of made-up rows, sort, search, and go through the tabs.

    Exits with 1 where the names take more of the processor's time, or more memory, than they may:
    1 s to open, 0.2 s to sort, search or turn a page, 200 MB. Times by the clock stand beside.
    """
    from ghostbust.bench.big_store import fill
    from ghostbust.home import Home

    output = Output(as_json=as_json, quiet=quiet)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.open(Path(folder))
        output.note(f"makes a store of {refs:,} refs and {names:,} names")
        fill(home.database, refs=refs, names=names)
        size = home.database.stat().st_size
        runs = [_measure(home.path) for _ in range(repeats)]
    told = {step: sorted(run[step] for run in runs)[len(runs) // 2] for step in runs[0]}
    rows = table("step", "median", "limit")
    for step, value in told.items():
        rows.add_row(cell(step), cell(_said(step, value)), cell(_said(step, _limit(step))))
    output.result.print(rows)
    missed = [step for step, value in told.items() if value > _limit(step)]
    output.line(f"{'missed: ' + ', '.join(missed) if missed else 'all within their limits'}")
    output.document(
        {"refs": refs, "names": names, "database_bytes": size, "figures": told, "runs": runs,
         "missed": missed}
    )  # fmt: skip
    if missed:
        raise typer.Exit(FINDINGS)


def _measure(home: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "ghostbust.dashboard.timing", str(home), str(time.time())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _limit(step: str) -> float:
    """What the step may come to; infinite where nothing is promised."""
    if step == "open_cpu_s":
        return OPEN_S
    if step.endswith("_bytes"):
        return PEAK_BYTES
    timed = step.startswith(("sort_", "search_", "page_")) and step.endswith("_cpu_s")
    return ACT_S if timed else float("inf")


def _said(step: str, value: float) -> str:
    if value == float("inf"):
        return ""
    return f"{value / 1e6:.0f} MB" if step.endswith("_bytes") else f"{1000 * value:.0f} ms"
