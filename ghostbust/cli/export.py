"""``ghostbust export``: adapters for other servers, the ledger for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import command_group, on_interrupt
from ghostbust.cli.options import RevealExportedOption
from ghostbust.errors import UsageError
from ghostbust.extras import need_local
from ghostbust.files import whole_file, write_whole

export = command_group("export", "Write adapters and the ledger for other programs.")

AdapterFormat = Literal["peft", "merged", "gguf-lora"]
LedgerFormat = Literal["sqlite", "jsonl", "csv", "cyclonedx"]


@export.command("adapter")
@invoked_with("home", "quiet")
def export_adapter(
    cli: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an adapter, or 'deployed'.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    shape: Annotated[
        AdapterFormat,
        typer.Option(
            "--format",
            help="The folder for peft and vLLM, the model with it merged in, or one for llama.cpp.",
        ),
    ] = "peft",
) -> None:
    """Write an adapter as other programs load it."""
    from ghostbust.home import cache_dir
    from ghostbust.loop.build import find_adapter

    found = find_adapter(cli.open_store(), cli.home, name)
    if found is None:
        raise UsageError("the base serves, so there is no adapter; name one")
    from ghostbust.adapters import read_adapter
    from ghostbust.records import utc_now
    from ghostbust.reports.card import model_card

    card = model_card(cli.open_store(), read_adapter(found[1]), shape, utc_now())
    with on_interrupt("nothing was written; run the same command again"):
        match shape:
            case "peft":
                from ghostbust.exports.adapters import export_peft

                export_peft(found[1], out, card)
            case "merged":
                need_local("merging an adapter")
                from ghostbust.exports.adapters import export_merged

                export_merged(found[1], out, cache_dir(), card)
            case "gguf-lora":
                need_local("writing GGUF")
                from ghostbust.exports.gguf_lora import export_gguf_lora

                export_gguf_lora(found[1], out, cache_dir(), card)
    cli.output.note(f"{found[0]} as {shape}: {out}")


@export.command("ledger")
@invoked_with("home", "quiet")
def export_ledger(
    cli: Invocation,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, mode 0600.")],
    shape: Annotated[LedgerFormat, typer.Option("--format", help="How it is written.")] = "sqlite",
    reveal: RevealExportedOption = False,
) -> None:
    """Write the invented names, or what is registered of the recommended ones (cyclonedx)."""
    from ghostbust.exports.cyclonedx import write_cyclonedx
    from ghostbust.exports.datasette import metadata, write_sqlite
    from ghostbust.exports.ledger import write_csv, write_jsonl

    store = cli.open_store()
    with whole_file(out, error=UsageError) as aside:
        match shape:
            case "sqlite":
                write_sqlite(store, aside, reveal=reveal)
                description = out.with_name(f"{out.name}.metadata.json")
                write_whole(description, metadata(out.stem, reveal=reveal), error=UsageError)
                cli.output.note(f"description for Datasette: {description}")
            case "jsonl":
                write_jsonl(store, aside, reveal=reveal)
            case "csv":
                write_csv(store, aside, reveal=reveal)
            case "cyclonedx":
                write_cyclonedx(store, aside)
    cli.output.note(f"ledger as {shape}: {out}")
