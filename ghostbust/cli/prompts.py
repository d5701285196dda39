"""``ghostbust prompts``: what is in the pool, where it comes from, and what it paid."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import load_settings, open_or_make, open_to_change, open_to_read
from ghostbust.cli.edge import help_if_bare
from ghostbust.cli.options import (
    ConfigOption,
    EcosystemOption,
    HomeOption,
    JsonOption,
    RevealOption,
)
from ghostbust.cli.output import Output, cell, table
from ghostbust.documents import json_text
from ghostbust.errors import UsageError
from ghostbust.files import SHARED, write_whole
from ghostbust.loop.redact import redacted_texts

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.records import Side
    from ghostbust.store.prompts import PoolPrompt
    from ghostbust.store.store import Store


# --- pool_rows
# Prompts of the pool as commands print them: a table, or JSON.

_SHOWN_CHARACTERS = 70


@contextmanager
def pool_store(
    opened: AbstractContextManager[tuple[Home, Store]], config: Path | None
) -> Iterator[tuple[Store, Config]]:
    """The store of the home folder, and the settings that tell the sides apart."""
    with opened as (home, store):
        yield store, load_settings(config, home)


def side_of_row(row: PoolPrompt, settings: Config) -> Side:
    """The side of the split that the prompt is on."""
    from ghostbust.prompts import side_of

    return side_of(row.family, settings.prompts.holdout_share)


def shown_texts(store: Store, rows: Sequence[PoolPrompt], *, reveal: bool) -> Mapping[str, str]:
    """The texts that may be printed, by id: unless revealed, no private ones and no invented names.

    A private prompt is its hash, the id.
    """
    if reveal:
        return {row.prompt_id: row.text for row in rows if row.text is not None}
    return redacted_texts(store, [row for row in rows if not row.private])


def pool_table(rows: Sequence[PoolPrompt], texts: Mapping[str, str], settings: Config) -> object:
    """Prompts, a row each."""
    made = table("prompt", "side", "context", "by", "parent", "names", "samples", "text")
    for row in rows:
        text = " ".join(said(row, texts).split())
        cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
        made.add_row(
            cell(row.prompt_id), cell(side_of_row(row, settings)), cell(row.context),
            cell(row.operator or ""), cell(" × ".join(row.parents)), cell(row.invented_names),
            cell(row.samples), cell(cut),
        )  # fmt: skip
    return made


def said(row: PoolPrompt, texts: Mapping[str, str]) -> str:
    """The text, or why there is none, for people."""
    why = "(not kept)" if row.text is None else "(private; --reveal shows it)"
    return texts.get(row.prompt_id, why)


def document(row: PoolPrompt, texts: Mapping[str, str], settings: Config) -> dict[str, object]:
    """A prompt as JSON; its text is null where it isn't shown."""
    return {
        "id": row.prompt_id,
        "text": texts.get(row.prompt_id),
        "context": row.context,
        "ecosystem": row.ecosystem,
        "family": row.family,
        "domain": row.domain,
        "side": side_of_row(row, settings),
        "parent": row.parent,
        "other_parent": row.other_parent,
        "operator": row.operator,
        "private": row.private,
        "added": row.added,
        "samples": row.samples,
        "invented_names": row.invented_names,
        "quiet": row.quiet,
        "last_sampled": row.last_sampled,
        "pruned": row.pruned,
    }


# --- prompts_prune
# ``ghostbust prompts prune`` and ``export``: out of the pool, and out of the house.

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
    from ghostbust.loop.discovery import pool
    from ghostbust.records import utc_now

    criteria = pool.Criteria(never_asked, retired, paid_nothing, older_than, operator)
    if criteria.empty:
        raise UsageError("say which prompts, such as --never-asked, --retired or --paid-nothing 20")
    output = Output(as_json=as_json)
    with pool_store((open_to_change if yes else open_to_read)(home), config) as (store, settings):
        now = utc_now()
        found = [row for row in store.prompts.pool() if pool.meets(row, criteria, now)]
        texts = shown_texts(store, found, reveal=False)
        deleted, marked = pool.prune(store, found) if yes else (None, None)
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
        rows = store.prompts.pool()
        texts = shown_texts(store, rows, reveal=reveal)
    documents = [document(row, texts, settings) for row in rows]
    lines = "".join(f"{json_text(one)}\n" for one in documents)
    if out is None:
        sys.stdout.write(lines)
        return
    write_whole(out, lines, mode=SHARED, error=UsageError)


prompts = typer.Typer(name="prompts", help="The pool of prompts: list, add, show, prune, export.")

_ORDERS: dict[str, Callable[[PoolPrompt], tuple[float, str]]] = {
    "paid": lambda p: (-p.invented_names, p.prompt_id),
    "samples": lambda p: (-p.samples, p.prompt_id),
    "added": lambda p: (-p.added.timestamp(), p.prompt_id),
}


@prompts.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """The pool of prompts: list, add, show, prune, export."""
    help_if_bare(context)


prompts.command()(prune)
prompts.command()(export)


@prompts.command("list")
def list_prompts(
    side: Annotated[
        Literal["all", "train", "holdout"], typer.Option("--side", help="Of this side only.")
    ] = "all",
    operator: Annotated[
        str | None, typer.Option("--operator", help="Made by this rewriting; 'none': by none.")
    ] = None,
    paid: Annotated[
        bool, typer.Option("--paid", help="Only those that elicited an invented name.")
    ] = False,
    pruned: Annotated[
        bool, typer.Option("--pruned", help="Those that were taken out, instead.")
    ] = False,
    order: Annotated[
        Literal["paid", "samples", "added"], typer.Option("--order", help="Most or newest first.")
    ] = "paid",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Prompts listed, at most.")] = 50,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the prompts with their side, lineage and what each paid."""
    output = Output(as_json=as_json)
    with pool_store(open_to_read(home), config) as (store, settings):
        found = [
            row
            for row in sorted(store.prompts.pool(), key=_ORDERS[order])
            if (row.pruned is not None) == pruned
            and side in ("all", side_of_row(row, settings))
            and (row.invented_names or not paid)
            and operator in (None, row.operator or "none")
        ]
        listed = found[:limit]
        texts = shown_texts(store, listed, reveal=reveal)
    output.result.print(pool_table(listed, texts, settings))
    output.line(f"{len(listed)} of {len(found)} prompts")
    documents = [document(row, texts, settings) for row in listed]
    output.document({"prompts": documents, "found": len(found)})


@prompts.command("show")
def show(
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="Id of a prompt, or its first digits.")
    ],
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a prompt: its text, what it descends from, and what descends from it."""
    output = Output(as_json=as_json)
    with pool_store(open_to_read(home), config) as (store, settings):
        pool = {row.prompt_id: row for row in store.prompts.pool()}
        chosen = _find(pool, prompt)
        above = _ancestors(pool, chosen)
        below = list(_descendants(pool, chosen))
        lineage = [*above, chosen, *(row for _, row in below)]
        texts = shown_texts(store, lineage, reveal=reveal)
    output.line(f"{chosen.prompt_id}, {chosen.context}, {chosen.ecosystem}")
    output.line(f"family {chosen.family}, {side_of_row(chosen, settings)} side")
    output.line(f"paid: {chosen.invented_names} invented names in {chosen.samples} samples")
    if chosen.pruned is not None:
        output.line(f"taken out of the pool on {chosen.pruned.isoformat()}")
    output.line("")
    for line in said(chosen, texts).split("\n"):
        output.line(f"  {line}")
    output.line("")
    depths = [*enumerate(above), (len(above), chosen)]
    depths += [(len(above) + depth, row) for depth, row in below]
    for depth, row in depths:
        mark = "*" if row is chosen else " "
        made = row.operator or "seed"
        pays = f"{row.invented_names} names in {row.samples} samples"
        output.line(f"{mark} {'  ' * depth}{row.prompt_id} {made}: {pays}")
    output.document(
        document(chosen, texts, settings)
        | {
            "ancestors": [document(row, texts, settings) for row in above],
            "descendants": [document(row, texts, settings) for _, row in below],
        }
    )


@prompts.command("add")
def add(
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="TASK", help="A coding task, as one text.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", help="Tasks, JSON lines or one a line; '-' for standard input."),
    ] = None,
    ecosystem: EcosystemOption = "pypi",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add tasks of your own to the pool, each in its two forms. Their texts are stored.

    What is private otherwise stays so: answers to them are kept only where `prompts.keep` says so.
    """
    from ghostbust.loop.discovery.pool import add_tasks
    from ghostbust.prompts import read_tasks, tasks_in
    from ghostbust.records import Ecosystem

    kind = Ecosystem(ecosystem)
    found = [task for text in tasks or () for task in tasks_in(text, "the argument", kind)]
    for name in file or ():
        if name == "-":
            text = sys.stdin.buffer.read().decode("utf-8-sig", "replace")
            found += tasks_in(text, "standard input", kind)
        else:
            found += read_tasks(Path(name), kind)
    if not found:
        raise UsageError("nothing to add; give a task, --file FILE, or --file - to read them")
    output = Output(as_json=as_json)
    with pool_store(open_or_make(home, keep_private=True), config) as (store, settings):
        added, new = add_tasks(store, found)
        ids = dict.fromkeys(prompt.id for prompt in added)
        pool = {row.prompt_id: row for row in store.prompts.pool()}
    sides = [side_of_row(pool[one], settings) for one in ids]
    held = sum(side == "holdout" for side in sides)
    output.line(
        f"{len(found)} tasks, {len(ids)} prompts: {new} new, {len(ids) - new} there already; "
        f"{held} of them held out"
    )
    output.document(
        {"tasks": len(found), "new": new, "prompts": [
            {"id": one, "family": pool[one].family, "side": side}
            for one, side in zip(ids, sides, strict=True)
        ]}
    )  # fmt: skip


def _find(pool: Mapping[str, PoolPrompt], wanted: str) -> PoolPrompt:
    """The prompt of that id or beginning of one. Raises UsageError for none, or several."""
    found = [one for one in pool if one.startswith(wanted)] if wanted else []
    if len(found) == 1:
        return pool[found[0]]
    what = "several prompts begin" if found else "no prompt begins"
    raise UsageError(f"{what} with {wanted!r}; `ghostbust prompts list` shows their ids")


def _ancestors(pool: Mapping[str, PoolPrompt], row: PoolPrompt) -> list[PoolPrompt]:
    """What it was made from, the oldest first; ends where a prompt isn't there any more."""
    above: dict[str, PoolPrompt] = {}
    waiting = list(row.parents)
    while waiting:
        parent = pool.get(waiting.pop(0))
        if parent is not None and parent is not row and parent.prompt_id not in above:
            above[parent.prompt_id] = parent
            waiting += parent.parents
    return list(above.values())[::-1]


def _descendants(
    pool: Mapping[str, PoolPrompt], row: PoolPrompt
) -> Iterator[tuple[int, PoolPrompt]]:
    """What was made from it, with the depth below it, each followed by its own; each once."""
    children: dict[str, list[PoolPrompt]] = {}
    for one in pool.values():
        for parent in one.parents:
            children.setdefault(parent, []).append(one)
    waiting = [(1, child) for child in reversed(children.get(row.prompt_id, []))]
    met = {row.prompt_id}
    while waiting:
        depth, one = waiting.pop()
        if one.prompt_id not in met:
            met.add(one.prompt_id)
            yield depth, one
            below = children.get(one.prompt_id, [])
            waiting += [(depth + 1, child) for child in reversed(below)]
