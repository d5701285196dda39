"""``ghostbust prompts prune`` and ``export``: out of the pool, and out of the house."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption, RevealOption
from ghostbust.cli.output import Output, json_text
from ghostbust.cli.pool_rows import document, pool_store, pool_table, shown_texts
from ghostbust.cli.stores import open_to_change, open_to_read
from ghostbust.errors import UsageError

_LISTED = 20
"""prompts that the table of a dry run lists"""


def prune(
    never_asked: Annotated[
        bool, typer.Option("--never-asked", help="Prompts that no sample was drawn from.")
    ] = False,
    retired: Annotated[
        bool, typer.Option("--retired", help="That paid once, and not in their last 4 samples.")
    ] = False,
    paid_nothing: Annotated[
        int | None,
        typer.Option("--paid-nothing", min=1, metavar="N", help="Nothing invented in N samples."),
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option("--older-than", min=0, metavar="DAYS", help="Only those added before that."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Only those made by this rewriting.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, only what would go is listed.")
    ] = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take prompts out of the pool: those that meet one of the first three, and all of the others.

    A prompt that nothing refers to is deleted. One that was sampled, or that others descend from,
    is marked and never chosen again: past runs and their figures stay as they are.
    """
    from ghostbust.loop import curating
    from ghostbust.records import utc_now

    criteria = curating.Criteria(never_asked, retired, paid_nothing, older_than, operator)
    if criteria.empty:
        raise UsageError("say which prompts, such as --never-asked, --retired or --paid-nothing 20")
    output = Output(as_json=as_json)
    with pool_store((open_to_change if yes else open_to_read)(home), config) as (store, settings):
        now = utc_now()
        found = [row for row in store.prompt_pool.read() if curating.meets(row, criteria, now)]
        texts = shown_texts(store, found, reveal=False)
        deleted, marked = curating.prune(store, found) if yes else (None, None)
    if yes:
        output.line(f"{len(found)} prompts: {deleted} deleted, {marked} marked")
    else:
        output.result.print(pool_table(found[:_LISTED], texts, settings))
        output.line(f"{len(found)} prompts would go; --yes takes them out")
    documents = [document(row, texts, settings) for row in found]
    output.document({"done": yes, "deleted": deleted, "marked": marked, "prompts": documents})


def export(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; else standard output.", show_default=False),
    ] = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the pool as JSON lines, pruned prompts too; texts only of those that were kept.

    Invented names in texts are shortened, and private texts left out, unless --reveal.
    """
    with pool_store(open_to_read(home), config) as (store, settings):
        rows = store.prompt_pool.read()
        texts = shown_texts(store, rows, reveal=reveal)
    documents = [document(row, texts, settings) for row in rows]
    lines = "".join(f"{json_text(one)}\n" for one in documents)
    if out is None:
        sys.stdout.write(lines)
        return
    aside = out.with_name(f".{out.name}.part")
    try:
        aside.write_text(lines, "ascii")
        aside.replace(out)
    except OSError as exc:
        raise UsageError(f"can't write {out}: {exc.strerror or exc}") from exc
