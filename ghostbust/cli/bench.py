"""``ghostbust bench``: how well ghostbust's own parts do, on labelled data."""

from __future__ import annotations

import typer

from ghostbust.cli.bench_audit import audit
from ghostbust.cli.bench_truth import truth
from ghostbust.cli.edge import help_if_bare

bench = typer.Typer(name="bench", help="How well ghostbust's own parts do.")


@bench.callback(invoke_without_command=True)
def _group(context: typer.Context) -> None:
    help_if_bare(context)


bench.command()(audit)
bench.command()(truth)
