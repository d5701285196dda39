"""The commands, put together. A new command gets its own file and one line here."""

from __future__ import annotations

from typing import Annotated

import typer

import ghostbust
from ghostbust.cli.adapters import adapters
from ghostbust.cli.bench import bench
from ghostbust.cli.check import CheckCommand, check
from ghostbust.cli.daemon import daemon, jobs
from ghostbust.cli.dashboard import dashboard
from ghostbust.cli.doctor import doctor
from ghostbust.cli.edge import EdgeGroup, help_if_bare
from ghostbust.cli.eval import eval_
from ghostbust.cli.export import export
from ghostbust.cli.extract import extract
from ghostbust.cli.hook import hook
from ghostbust.cli.ingest import ingest
from ghostbust.cli.names import names
from ghostbust.cli.prompts import prompts
from ghostbust.cli.registry import registry
from ghostbust.cli.report import report
from ghostbust.cli.rounds import demo, round_
from ghostbust.cli.sweep import sweep

app = typer.Typer(cls=EdgeGroup, add_completion=False, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ghostbust {ghostbust.__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    debug: Annotated[  # noqa: ARG001 (read by the edge)
        bool, typer.Option("--debug", envvar="GHOSTBUST_DEBUG", help="Show tracebacks of errors.")
    ] = False,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Finds the packages a code model invents, and trains them away in gated adapters."""
    help_if_bare(context)


app.command()(demo)
app.command()(sweep)
app.command()(ingest)
app.command("round")(round_)
app.command("eval")(eval_)
app.add_typer(adapters)
app.add_typer(names)
app.add_typer(prompts)
app.command()(daemon)
app.add_typer(jobs)
app.command()(dashboard)
app.command()(report)
app.add_typer(export)
app.command(cls=CheckCommand)(check)
app.command()(extract)
app.add_typer(hook)
app.add_typer(registry)
app.add_typer(bench)
app.command()(doctor)
