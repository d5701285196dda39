"""Options that several commands share, each with one spelling and one help text."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

RegistryMode = Literal["snapshot", "live", "auto"]
"""the values of ``ghostbust.registries.judge.Mode``, which is too slow to import for a help text"""
DAY = "%Y-%m-%d"


def day_option(*names: str, help: str, show_default: bool | str = True) -> Any:  # noqa: A002
    """An option that takes a day, which ``help`` needn't explain, and gives a `date`."""

    def parse(text: str) -> date:
        try:
            return datetime.strptime(text, DAY).date()  # noqa: DTZ007 (a day has no time zone)
        except ValueError as exc:
            raise typer.BadParameter(f"{text!r} is no day such as 2026-11-24.") from exc

    return typer.Option(
        *names,
        parser=parse,
        metavar="DAY",
        help=f"{help} A day is written 2026-11-24.",
        show_default=show_default,
    )


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="GHOSTBUST_HOME",
        show_default="the user's data folder",
        help="Home folder, with the database, the adapters and newer snapshots.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        show_default="the home folder's, and what is harmless of ./ghostbust.toml",
        help="Settings file.",
    ),
]
AskedEcosystem = Literal["pypi", "npm", "cargo"]
"""the ecosystems that have a registry to ask: ``ghostbust.records.ASKED``"""
PromptedEcosystem = Literal["pypi", "npm"]
"""those that models are asked about: ``ghostbust.records.PROMPTED``"""
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no notes on standard error.")
]
RegistryModeOption = Annotated[
    RegistryMode | None,
    typer.Option(
        "--registry",
        show_default="the settings' registry.mode",
        help="Who is asked: the snapshot (no network), the live registries, or the snapshot "
        "first and the registries for what it doesn't know.",
    ),
]
AsOfOption = Annotated[
    date | None,
    day_option(
        "--as-of",
        show_default="today",
        help="Judge by the newest snapshot that isn't later than this day; asks nobody.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        show_default="the settings' model.name, smollm2",
        help="'smollm2' (embedded, no hub needed), FILE.gguf, a Hugging Face id, or a folder.",
    ),
]
AdapterOption = Annotated[
    str,
    typer.Option(
        "--adapter",
        metavar="NAME",
        help="An adapter's name, 'deployed' for what serves, or 'base'.",
    ),
]
SamplesOption = Annotated[
    int | None, typer.Option("--samples", min=1, help="Completions of each prompt.")
]
PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="DIR", help="Write plots there, as SVG.")
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
RevealOption = Annotated[
    bool,
    typer.Option(
        "--reveal",
        help="Unregistered names in full where no terminal shows them: in JSON, a pipe, a file.",
    ),
]
RevealExportedOption = Annotated[
    bool, typer.Option("--reveal", help="Unregistered names in full, not shortened.")
]
PromptsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--prompts",
        help="Tasks of your own: JSON lines or text, one a line. May be repeated. "
        "Without it the shipped tasks are asked.",
    ),
]
KeepPromptsOption = Annotated[
    bool,
    typer.Option("--keep-prompts", help="Store the texts of --prompts; else hashes only."),
]
EcosystemOption = Annotated[
    PromptedEcosystem,
    typer.Option("--ecosystem", help="Of tasks that don't say their language."),
]
EndpointOption = Annotated[
    str | None,
    typer.Option(
        "--endpoint", metavar="URL", help="Base URL of an OpenAI-compatible server to sample."
    ),
]
