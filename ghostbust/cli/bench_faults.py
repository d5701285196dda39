"""``ghostbust bench faults``: kill -9 wherever it hurts, and what becomes of it."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import FINDINGS, ended_like_ctrl_c
from ghostbust.cli.options import JsonOption, QuietOption, SeedOption
from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.loop.fault_points import Fault

NAMES = (
    "requests", "numpy", "flask", "pandas", "click", "rich", "httpx", "boto3",
    "zz-quux-sensorlib", "zz-harbor-toolkit", "zz-meadow-parser", "zz-lantern-client",
)  # fmt: skip
"""what the small model can name: real ones and made-up ones"""


def faults(
    points: Annotated[
        int, typer.Option("--points", min=1, help="Points at which a process is killed.")
    ] = 10,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Kill processes in every state of a round, in a watch, a rollback and the daemon, and go on.

    With a small model of random weights in a folder of its own. Exits with 1 if anything is lost,
    promoted twice, left behind or half-made.
    """
    from ghostbust.bench.talking import make_talking_model
    from ghostbust.loop.faults import Faults

    output = Output(as_json=as_json, quiet=quiet)
    work = Path(tempfile.mkdtemp(prefix="ghostbust-faults-"))
    try:
        found = []
        with ended_like_ctrl_c():
            for fault in Faults(work, partial(make_talking_model, names=NAMES)).run(points, seed):
                found.append(fault)
                output.note(_said(fault))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _report(output, found)
    if any(fault.breaches for fault in found):
        raise typer.Exit(FINDINGS)


def _report(output: Output, found: list[Fault]) -> None:
    """A row a stage."""
    rows = table("stage", "points", "killed", "failed", "seconds")
    for stage in dict.fromkeys(fault.point.stage for fault in found):
        of_it = [fault for fault in found if fault.point.stage == stage]
        rows.add_row(
            cell(stage),
            cell(len(of_it)),
            cell(sum(fault.died for fault in of_it)),
            cell(sum(bool(fault.breaches) for fault in of_it)),
            cell(f"{sum(fault.wall_s for fault in of_it):.0f}"),
        )
    output.result.print(rows)
    for fault in found:
        for breach in fault.breaches:
            output.line(f"{fault.point.stage}, {fault.point.function}: {breach}", "red")
    failed = sum(bool(fault.breaches) for fault in found)
    output.line(f"{len(found)} points, {sum(f.died for f in found)} kills, {failed} failed")
    output.document({"points": found, "failed": failed})


def _said(fault: Fault) -> str:
    point = fault.point
    came = "killed" if fault.died else "not reached"
    well = "; ".join(fault.breaches) or "well"
    return f"{point.stage}: {came} at {point.function}, call {point.occurrence}: {well}"
