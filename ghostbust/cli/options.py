"""Options that several commands share, each with one spelling and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

RegistryMode = Literal["snapshot", "live", "auto"]
"""the values of ``ghostbust.registries.judge.Mode``, which is too slow to import for a help text"""

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="GHOSTBUST_HOME",
        show_default="the user's data folder",
        help="Home folder, with the database, the adapters and newer snapshots.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        show_default="./ghostbust.toml, else the home folder's",
        help="Settings file.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes on standard error.")
]
RegistryOption = Annotated[
    RegistryMode,
    typer.Option(
        "--registry",
        help="Who is asked: the snapshot (no network), the live registries, or the snapshot "
        "first and the registries for what it doesn't know.",
    ),
]
