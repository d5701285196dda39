"""The commands, put together. A new command gets its own file and one line here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

import ghostbust
from ghostbust.cli.edge import EdgeGroup, help_if_bare
from ghostbust.cli.lazy import LazyCommand
from ghostbust.cli.plain_values import take_plain_values

_USE, _WATCH, _TRAIN, _SERVE, _INSPECT = (
    "Use: before something is installed",
    "Watch: what a model invents",
    "Train: adapters that invent less",
    "Serve: what reaches clients",
    "Inspect: what is stored",
)
COMMANDS = (
    ("check", "check:check", _USE, "Say of each package whether it is real.", "CheckCommand"),
    ("extract", "extract:extract", _USE,
     "List every place where a text names a package. Asks no registry."),
    ("hook", "hook:hook", _USE,
     "Answer a coding agent that is about to run a command or to write a file."),
    ("mcp", "mcp:mcp", _USE,
     "Serve an agent over the Model Context Protocol: is this package real?"),
    ("demo", "rounds:demo", _USE,
     "Sweep, round, gates, promotion and a second sweep, in a home folder of its own."),
    ("sweep", "sweep:sweep", _WATCH,
     "Sample the model, judge every package it names, log and report the invented ones."),
    ("ingest", "ingest:ingest", _WATCH,
     "Read logged completions, judge every package they name, log the invented ones."),
    ("prompts", "prompts:prompts", _WATCH, "The pool of prompts: list, add, show, prune, export."),
    ("daemon", "daemon:daemon", _WATCH,
     "Watch the deployed model, and train a round when enough new inventions are logged."),
    ("jobs", "daemon:jobs", _WATCH, "The daemon's jobs: when each runs, and what came of it."),
    ("round", "rounds:round_", _TRAIN,
     "Train an adapter on what sweeps and watches logged, gate it, and promote it if it passes."),
    ("eval", "eval:eval_", _TRAIN,
     "Compare adapters with the base on held-out tasks: what they invent, and what else changed."),
    ("bench", "bench:bench", _TRAIN,
     "Compare methods, rounds and checks on a model or folder of yours."),
    ("guard", "guard:guard", _SERVE,
     "Keep invented names from leaving a model server, untrained."),
    ("adapters", "adapters:adapters", _SERVE,
     "List, show, promote, reject and roll back adapters."),
    ("export", "export:export", _SERVE, "Write adapters and the ledger for other programs."),
    ("dashboard", "dashboard:dashboard", _INSPECT,
     "Watch rates, names, samples, rounds, adapters, prompts and jobs; review and decide."),
    ("report", "report:report", _INSPECT,
     "Report on a run, a round, a period or two adapters, from what is stored. Samples nothing."),
    ("names", "names:names", _INSPECT, "Invented names: list, review, ask for them again."),
    ("registry", "registry:registry", _INSPECT, "The registries' names: snapshots and addresses."),
    ("doctor", "doctor:doctor", _INSPECT,
     "Check this installation, and say what to do about what is wrong."),
)  # fmt: skip
"""each command's name, where it is, the heading that it stands below, the first line of its help,
and its class if it has its own"""


class _Root(EdgeGroup):
    """The root group. It imports the command that is called, and no other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for command in COMMANDS:
            self.add_command(LazyCommand(*command))

    def make_context(self, *args: Any, **options: Any) -> Any:
        """As typer's; it adds options after the group was made, so only here all are known."""
        take_plain_values(self)
        return super().make_context(*args, **options)


app = typer.Typer(cls=_Root, pretty_exceptions_enable=False)


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
