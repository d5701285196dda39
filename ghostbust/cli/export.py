"""``ghostbust export``: adapters for other servers, the ledger for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ghostbust.cli.edge import help_if_bare, on_interrupt
from ghostbust.cli.options import HomeOption, QuietOption, RevealOption
from ghostbust.cli.output import Output
from ghostbust.errors import UsageError

export = typer.Typer(name="export", help="Write adapters and the ledger for other programs.")

AdapterFormat = Literal["peft", "merged", "gguf-lora"]
LedgerFormat = Literal["sqlite", "jsonl", "csv", "cyclonedx"]


@export.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Write adapters and the ledger for other programs."""
    help_if_bare(context)


@export.command("adapter")
def export_adapter(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an adapter, or 'deployed'.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    shape: Annotated[
        AdapterFormat,
        typer.Option(
            "--format",
            help="The folder for peft and vLLM, the model with it merged in, or one for llama.cpp.",
        ),
    ] = "peft",
    home: HomeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write an adapter as other programs load it."""
    from ghostbust.errors import UsageError
    from ghostbust.home import Home, cache_dir
    from ghostbust.loop.build import find_adapter
    from ghostbust.store.store import Store

    place = Home.find(home)
    with Store.open(place.database, read_only=True) as store:
        found = find_adapter(store, place, name)
    if found is None:
        raise UsageError("the base serves, so there is no adapter; name one")
    with on_interrupt("nothing was written; run the same command again"):
        match shape:
            case "peft":
                from ghostbust.exports.adapters import export_peft

                export_peft(found[1], out)
            case "merged":
                from ghostbust.exports.adapters import export_merged

                export_merged(found[1], out, cache_dir())
            case "gguf-lora":
                from ghostbust.exports.gguf_lora import export_gguf_lora

                export_gguf_lora(found[1], out, cache_dir())
    Output(quiet=quiet).note(f"{found[0]} as {shape}: {out}")


@export.command("ledger")
def export_ledger(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, mode 0600.")],
    shape: Annotated[LedgerFormat, typer.Option("--format", help="How it is written.")] = "sqlite",
    reveal: RevealOption = False,
    home: HomeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the invented names, or what is registered of the recommended ones (cyclonedx)."""
    from ghostbust.files import whole_file, write_whole
    from ghostbust.home import Home
    from ghostbust.store.store import Store

    output = Output(quiet=quiet)
    with (
        Store.open(Home.find(home).database, read_only=True) as store,
        whole_file(out, error=UsageError) as aside,
    ):
        match shape:
            case "sqlite":
                from ghostbust.exports.datasette import metadata, write_sqlite

                write_sqlite(store, aside, reveal=reveal)
                told = out.with_name(f"{out.name}.metadata.json")
                write_whole(told, metadata(out.stem, reveal=reveal), error=UsageError)
                output.note(f"description for Datasette: {told}")
            case "jsonl":
                from ghostbust.exports.ledger import write_jsonl

                write_jsonl(store, aside, reveal=reveal)
            case "csv":
                from ghostbust.exports.ledger import write_csv

                write_csv(store, aside, reveal=reveal)
            case "cyclonedx":
                from ghostbust.exports.cyclonedx import write_cyclonedx

                write_cyclonedx(store, aside)
    output.note(f"ledger as {shape}: {out}")
