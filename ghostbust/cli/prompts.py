"""``ghostbust prompts``: what is in the pool, where it comes from, and what it paid."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import command_group
from ghostbust.cli.options import EcosystemOption, RevealExportedOption, RevealOption
from ghostbust.documents import document_of, json_text
from ghostbust.errors import UsageError
from ghostbust.files import SHARED, write_whole

if TYPE_CHECKING:
    from ghostbust.records import Side
    from ghostbust.store.prompts import PoolPrompt


prompts = command_group("prompts", "The pool of prompts: list, add, show, prune, export.")

_SHOWN_CHARACTERS = 70
_LISTED = 20
"""prompts that the table of a dry run lists"""
_ORDERS: dict[str, Callable[[PoolPrompt], tuple[float, str]]] = {
    "paid": lambda p: (-p.invented_names, p.prompt_id),
    "samples": lambda p: (-p.samples, p.prompt_id),
    "added": lambda p: (-p.added.timestamp(), p.prompt_id),
}


@prompts.command()
@invoked_with("home", "config", "as_json")
def prune(
    cli: Invocation,
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
        str | None,
        typer.Option("--operator", metavar="NAME", help="Only those made by this rewriting."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without it, only what would go is listed.")
    ] = False,
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
    there, now = _Pool(cli, "change" if yes else "read"), utc_now()
    found = [row for row in there.rows.values() if pool.meets(row, criteria, now)]
    there.read_texts(found)
    deleted, marked = pool.prune(there.store, found) if yes else (None, None)
    if yes:
        cli.output.line(f"{len(found)} prompts: {deleted} deleted, {marked} marked")
    else:
        there.print_table(found[:_LISTED])
        cli.output.line(f"{len(found)} prompts would go; --yes takes them out")
    cli.output.document(
        {"done": yes, "deleted": deleted, "marked": marked, "prompts": there.documents(found)}
    )


@prompts.command()
@invoked_with("home", "config")
def export(
    cli: Invocation,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; else standard output.", show_default=False),
    ] = None,
    reveal: RevealExportedOption = False,
) -> None:
    """Write the pool as JSON lines, pruned prompts too; texts only of those that were kept.

    Invented names in texts are shortened, and private texts left out, unless --reveal.
    """
    pool = _Pool(cli)
    rows = list(pool.rows.values())
    pool.read_texts(rows, names=reveal, private=reveal)
    lines = "".join(f"{json_text(one)}\n" for one in pool.documents(rows))
    if out is None:
        sys.stdout.write(lines)
    else:
        write_whole(out, lines, mode=SHARED, error=UsageError)


@prompts.command("list")
@invoked_with("home", "config", "as_json")
def list_prompts(
    cli: Invocation,
    side: Annotated[
        Literal["all", "train", "holdout"], typer.Option("--side", help="Of this side only.")
    ] = "all",
    operator: Annotated[
        str | None,
        typer.Option("--operator", metavar="NAME", help="Made by this rewriting; 'none': by none."),
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
) -> None:
    """List the prompts with their side, lineage and what each paid."""
    pool = _Pool(cli)
    found = [
        row
        for row in sorted(pool.rows.values(), key=_ORDERS[order])
        if (row.pruned is not None) == pruned
        and side in ("all", pool.side_of(row))
        and (row.invented_names or not paid)
        and operator in (None, row.operator or "none")
    ]
    listed = found[:limit]
    pool.read_texts(listed, names=cli.output.names_in_full(reveal), private=reveal)
    pool.print_table(listed)
    cli.output.line(f"{len(listed)} of {len(found)} prompts")
    cli.output.document({"prompts": pool.documents(listed), "found": len(found)})


@prompts.command("show")
@invoked_with("home", "config", "as_json")
def show(
    cli: Invocation,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="Id of a prompt, or its first digits.")
    ],
    reveal: RevealOption = False,
) -> None:
    """Show a prompt: its text, what it descends from, and what descends from it."""
    pool, output = _Pool(cli), cli.output
    chosen = _find(pool.rows, prompt)
    above, below = _ancestors(pool.rows, chosen), list(_descendants(pool.rows, chosen))
    pool.read_texts(
        [*above, chosen, *(row for _, row in below)],
        names=output.names_in_full(reveal),
        private=reveal,
    )
    output.line(f"{chosen.prompt_id}, {chosen.context}, {chosen.ecosystem}")
    output.line(f"family {chosen.family}, {pool.side_of(chosen)} side")
    output.line(f"paid: {chosen.invented_names} invented names in {chosen.samples} samples")
    if chosen.pruned is not None:
        output.line(f"taken out of the pool on {chosen.pruned.isoformat()}")
    output.line("")
    for line in pool.text(chosen).split("\n"):
        output.line(f"  {line}")
    output.line("")
    depths = [*enumerate(above), (len(above), chosen)]
    depths += [(len(above) + depth, row) for depth, row in below]
    for depth, row in depths:
        mark = "*" if row is chosen else " "
        pays = f"{row.invented_names} names in {row.samples} samples"
        output.line(f"{mark} {'  ' * depth}{row.prompt_id} {row.operator or 'seed'}: {pays}")
    (document,) = pool.documents([chosen])
    ancestors = pool.documents(above)
    descendants = pool.documents([row for _, row in below])
    output.document(document | {"ancestors": ancestors, "descendants": descendants})


@prompts.command("add")
@invoked_with("home", "config", "as_json")
def add(
    cli: Invocation,
    tasks: Annotated[
        list[str] | None, typer.Argument(metavar="TASK", help="A coding task, as one text.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", help="Tasks, JSON lines or one a line; '-' for standard input."),
    ] = None,
    ecosystem: EcosystemOption = "pypi",
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
    pool = _Pool(cli, "make", keep_private=True)
    added, new = add_tasks(pool.store, found)
    ids = dict.fromkeys(prompt.id for prompt in added)
    rows = [
        {"id": one.prompt_id, "family": one.family, "side": pool.side_of(one)}
        for one in map(pool.rows.__getitem__, ids)
    ]
    held = sum(row["side"] == "holdout" for row in rows)
    cli.output.line(
        f"{len(found)} tasks, {len(ids)} prompts: {new} new, {len(ids) - new} there already; "
        f"{held} of them held out"
    )
    cli.output.document({"tasks": len(found), "new": new, "prompts": rows})


class _Pool:
    """The pool as commands print it: each prompt with its side and the text that may be printed."""

    def __init__(
        self,
        cli: Invocation,
        access: Literal["read", "change", "make"] = "read",
        *,
        keep_private: bool = False,
    ) -> None:
        self.store = cli.open_store(access, keep_private=keep_private)
        self._output = cli.output
        self._holdout_share = cli.settings.prompts.holdout_share
        self._texts: Mapping[str, str] = {}
        """by id"""

    @cached_property
    def rows(self) -> dict[str, PoolPrompt]:
        """Every prompt by its id, as of when this is first asked."""
        return {row.prompt_id: row for row in self.store.prompts.pool()}

    def side_of(self, row: PoolPrompt) -> Side:
        """The side of the split that the prompt is on."""
        from ghostbust.prompts import side_of

        return side_of(row.family, self._holdout_share)

    def read_texts(
        self, rows: Sequence[PoolPrompt], *, names: bool = False, private: bool = False
    ) -> None:
        """Takes up the texts that may be printed: ``names`` shows invented ones in them in full,
        ``private`` also takes texts that users asked."""
        from ghostbust.loop.redact import redacted_text

        self._texts = {
            row.prompt_id: row.text if names else redacted_text(self.store, row.text, row.ecosystem)
            for row in rows
            if row.text is not None and (private or not row.private)
        }

    def text(self, row: PoolPrompt) -> str:
        """The text, or why there is none, for people."""
        why = "(not kept)" if row.text is None else "(private; --reveal shows it)"
        return self._texts.get(row.prompt_id, why)

    def print_table(self, rows: Sequence[PoolPrompt]) -> None:
        """Prompts, a row each."""

        def cut(text: str) -> str:
            whole = " ".join(text.split())
            fits = len(whole) <= _SHOWN_CHARACTERS
            return whole if fits else whole[: _SHOWN_CHARACTERS - 1] + "…"

        self._output.table(
            ("prompt", "side", "context", "by", "parent", "names", "samples", "text"),
            (
                (
                    row.prompt_id, self.side_of(row), row.context, row.operator,
                    " × ".join(row.parents), row.invented_names, row.samples, cut(self.text(row)),
                )
                for row in rows
            ),
        )  # fmt: skip

    def documents(self, rows: Sequence[PoolPrompt]) -> list[dict[str, object]]:
        """Prompts as JSON; a text is null where it isn't shown."""
        return [
            {"id": row.prompt_id}
            | document_of(
                row,
                without=("prompt_id",),
                side=self.side_of(row),
                text=self._texts.get(row.prompt_id),
            )
            for row in rows
        ]


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
