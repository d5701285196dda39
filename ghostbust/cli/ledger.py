"""``ghostbust names``: the ledger of invented names, and how surely each comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import help_if_bare, on_interrupt
from ghostbust.cli.names_review import accept, allow, ignore, look_up, reopen, show
from ghostbust.cli.options import (
    ConfigOption,
    EndpointOption,
    HomeOption,
    JsonOption,
    ModelOption,
    QuietOption,
    RegistryModeOption,
    RevealOption,
)
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.progress import Stages
from ghostbust.cli.settings import load_settings
from ghostbust.cli.stores import open_to_read
from ghostbust.shown import came_back, redact
from ghostbust.store import NameOrder

if TYPE_CHECKING:
    from ghostbust.records import Hallucination
    from ghostbust.store import Store

names = typer.Typer(name="names", help="Invented names: list, review, ask for them again.")

OrderOption = Annotated[
    NameOrder,
    typer.Option("--order", help="Counts and times run downwards; repeats: surest first."),
]
AdapterOption = Annotated[
    str,
    typer.Option(
        "--adapter", help="Whose repeats: an adapter's name, 'deployed' for what serves, or 'base'."
    ),
]


@names.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """Invented names: list, review, ask for them again."""
    help_if_bare(context)


names.command()(show)
names.command()(accept)
names.command()(ignore)
names.command()(allow)
names.command()(reopen)
names.command("lookup")(look_up)


@names.command("list")
def list_names(
    search: Annotated[str, typer.Option("--search", help="Part of a name, in any case.")] = "",
    order: OrderOption = NameOrder.TIMES_SEEN,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Names listed, at most.")] = 50,
    adapter: AdapterOption = "deployed",
    ignored: Annotated[
        bool, typer.Option("--ignored", help="Also those that a person ignores.")
    ] = False,
    reveal: RevealOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the invented names: how often each was seen, and how often it came back when asked for.

    "8 of 10" means: of 10 samples of prompts that had elicited the name, drawn since they first
    did, 8 named it again.
    """
    from ghostbust.loop.parts import find_adapter

    output = Output(as_json=as_json)
    with open_to_read(home) as (place, store):
        chosen = find_adapter(store, place, adapter)
        whose = None if chosen is None else chosen[0]
        page = store.name_pages.page(
            search=search, order=order, limit=limit, adapter=whose, ignored=ignored
        )
        found = [line.name for line in page.lines]
        total = store.ledger.count_new_inventions()
        documents = [_document(store, name, reveal=reveal) for name in found]
    _print(output, found, whose, reveal=reveal)
    output.line(f"{len(found)} of {total} names")
    output.document({"adapter": whose, "names": documents, "total": total})


@names.command("repeat")
def repeat(
    count: Annotated[
        int, typer.Option("--names", min=1, help="Names to measure, the first of the order.")
    ] = 20,
    order: OrderOption = NameOrder.TIMES_SEEN,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Samples of each prompt.")] = 10,
    budget: Annotated[int, typer.Option("--budget", min=1, help="Samples in all, at most.")] = 200,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    adapter: AdapterOption = "deployed",
    registry: RegistryModeOption = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, help="Seed of the sampling.", show_default="the run's number"
        ),
    ] = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask again what elicited the first names of an order, and count how often they come back.

    Of each name, the prompt that elicited it most often is asked; prompts of which no text was kept
    can't be.
    """
    from ghostbust.config import override
    from ghostbust.home import Home
    from ghostbust.loop.repeating import Ask, ask_again
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    place = Home.open(home)
    settings = override(
        load_settings(config, place),
        model__name=model,
        model__endpoint=endpoint,
        registry__mode=registry,
    )
    ask = Ask(count, order, samples, budget, adapter, seed)
    with (
        on_interrupt("what was sampled is kept and counts; the same command asks for more"),
        Stages(output) as stages,
        open_session(place, settings, purpose="names repeat") as session,
    ):
        done = ask_again(session, ask, stages)
        documents = [_document(session.store, name, reveal=reveal) for name in done.names]
    _print(output, done.names, done.adapter, reveal=reveal)
    output.line(
        f"run {done.run_id}: {done.answers} samples of {done.prompts} prompts, seed {done.seed}"
    )
    if done.textless:
        output.note(f"{done.textless} names left out: no text of their prompts was kept")
    output.document(
        {
            "run": done.run_id,
            "adapter": done.adapter,
            "seed": done.seed,
            "prompts": done.prompts,
            "answers": done.answers,
            "left_out": done.textless,
            "names": documents,
        }
    )


def _print(
    output: Output, found: Sequence[Hallucination], adapter: str | None, *, reveal: bool
) -> None:
    """The names, a row each."""
    rows = table(
        "name", "in", "verdict", "reason", "seen", "prompts", "came back", "last seen",
        title=f"came back: with {adapter or 'the base'}",
    )  # fmt: skip
    for name in found:
        rows.add_row(
            cell(name.name if reveal else redact(name.name)), cell(name.ecosystem),
            cell(name.verdict), cell(name.reason), cell(name.times_seen), cell(name.prompts),
            cell(came_back(name)), cell(name.last_seen.date().isoformat()),
        )  # fmt: skip
    output.result.print(rows)


def _document(store: Store, name: Hallucination, *, reveal: bool) -> dict[str, object]:
    """A name as JSON, with its repeats by every adapter that was asked for it."""
    return {
        "ecosystem": name.ecosystem,
        "name": name.name if reveal else redact(name.name),
        "verdict": name.verdict,
        "reason": name.reason,
        "times_seen": name.times_seen,
        "prompts": name.prompts,
        "repeats": store.repeats.of(name.ecosystem, name.name),
        "first_seen": name.first_seen,
        "last_seen": name.last_seen,
        "claimed_at": name.claimed_at,
    }
