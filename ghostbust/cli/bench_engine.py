"""``ghostbust bench engine``: a training step against the plain loop, time and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.options import JsonOption, QuietOption
from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.bench.engine import Run

TIME, MEMORY = 0.6, 0.4
"""what the engine may take at most, as a share of the plain loop's"""


def engine(
    vocabulary: Annotated[
        int, typer.Option("--vocab", min=100, help="Tokens in the vocabulary.")
    ] = 151_936,
    length: Annotated[
        int, typer.Option("--length", min=8, help="Tokens of each answer with its prompt.")
    ] = 512,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers computed at once.")] = 4,
    answer_share: Annotated[
        float,
        typer.Option("--answer-share", min=0.01, max=0.99, help="Share of an answer's tokens."),
    ] = 0.25,
    layers: Annotated[int, typer.Option("--layers", min=1, help="Layers of the model.")] = 4,
    width: Annotated[
        int, typer.Option("--width", min=64, help="Width of the model, a multiple of 64.")
    ] = 896,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, help="Processes of each loop, in turn.")
    ] = 3,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Timed steps of each.")] = 2,
    device: Annotated[str, typer.Option("--device", help="Torch device, such as cuda:0.")] = "cpu",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare a training step with a loop that computes all logits, on a model of random weights.

    Exits with 1 if a process fails, or if the two don't compute the same loss.
    """
    from ghostbust.bench.engine import Size, compare
    from ghostbust.errors import UsageError

    if width % 64:
        raise UsageError(f"--width: {width} isn't a multiple of 64")
    output = Output(as_json=as_json, quiet=quiet)
    size = Size(vocabulary, length, batch, answer_share, layers, width, device)
    result = compare(size, repeats=repeats, steps=steps, heard=lambda run: output.note(_said(run)))
    loops = {
        loop: {"step_s": result.step_s(loop), "peak_bytes": result.peak_bytes(loop)}
        for loop in ("plain", "engine")
    }
    output.document(
        {"size": size, "runs": result.runs, **loops,
         "time_ratio": result.time_ratio, "memory_ratio": result.memory_ratio,
         "wanted": {"time_ratio": TIME, "memory_ratio": MEMORY}}
    )  # fmt: skip
    shown = table("loop", "seconds a step", "peak memory")
    for loop, figures in loops.items():
        shown.add_row(
            cell(loop), cell(f"{figures['step_s']:.2f}"),
            cell(f"{figures['peak_bytes'] / 1e6:,.0f} MB"),
        )  # fmt: skip
    output.result.print(shown)
    output.line(f"time: {result.time_ratio:.2f} of the plain loop's (wanted: ≤ {TIME})")
    output.line(f"memory: {result.memory_ratio:.2f} of the plain loop's (wanted: ≤ {MEMORY})")


def _said(run: Run) -> str:
    return (
        f"{run.loop}: {run.step_s:.2f} s a step, at most {run.peak_bytes / 1e6:,.0f} MB, "
        f"{run.loaded_bytes / 1e6:,.0f} MB of them before the first step, loss {run.loss:.5f}"
    )
