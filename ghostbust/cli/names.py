"""``ghostbust names``: the ledger of invented names, and how surely each comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import load_settings, open_to_change, open_to_read
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, help_if_bare, on_interrupt
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
from ghostbust.cli.output import Output, Stages, cell, table
from ghostbust.store.names import NameOrder
from ghostbust.text import came_back, redact

if TYPE_CHECKING:
    from pathlib import Path

    from ghostbust.records import Ecosystem, Hallucination
    from ghostbust.store.store import Store


# --- names_review
# ``ghostbust names``: what a person says of one name, and a look at the registry for it.

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A name of the ledger: acme-core, @acme/ui, a purl.")
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept beside the decision.")]


def accept(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note that a name is invented indeed; nothing else changes."""
    _decide("accept", name, reason, home, as_json=as_json)


def ignore(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave a name out of the lists, unless they are asked for it."""
    _decide("ignore", name, reason, home, as_json=as_json)


def allow(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Vouch for a name: `check` passes it over, and no round trains on it."""
    _decide("allow", name, reason, home, as_json=as_json)


def reopen(
    name: NameArgument,
    reason: ReasonOption = "by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take the decision on a name back."""
    _decide("reopen", name, reason, home, as_json=as_json)


def look_up(
    name: NameArgument,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the live registry for an invented name now; one that is registered is an alarm.

    Exits with 1 if it is registered, with 3 if the registry gave no answer.
    """
    from ghostbust.loop import recheck
    from ghostbust.loop.recheck import is_registered
    from ghostbust.records import Verdict

    output = Output(as_json=as_json)
    with open_to_change(home) as (place, store), recheck.open_fresh_judge(place) as judge:
        settings = load_settings(config, place)
        lookup = recheck.look_up(store, judge, settings, *_name(name))
    output.line(f"{lookup.name} ({lookup.ecosystem}): {lookup.verdict}, {lookup.evidence}")
    output.document({"lookup": lookup, "registered": is_registered(lookup)})
    if is_registered(lookup):
        raise typer.Exit(FINDINGS)
    if lookup.verdict is Verdict.UNKNOWN:
        raise typer.Exit(COULD_NOT_ASK)


def show(
    name: NameArgument,
    reveal: RevealOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a name: contexts, samples, repeats, alarm, decisions."""
    from ghostbust.errors import UsageError

    ecosystem, wanted = _name(name)
    output = Output(as_json=as_json)
    with open_to_read(home) as (_, store):
        known = store.ledger.details(ecosystem, wanted, adapter=store.promotions.deployed())
    if known is None:
        raise UsageError(f"the ledger has no name {wanted!r} of {ecosystem}")
    one = known.name
    shown = one.name if reveal else redact(one.name)
    output.line(f"{shown} ({ecosystem}): {one.verdict}, {one.reason}")
    output.line(f"seen {one.times_seen} times, by {one.prompts} prompts")
    output.line(f"came back: {came_back(one)}")
    output.line(f"first {one.first_seen.isoformat()}, last {one.last_seen.isoformat()}")
    output.line(f"contexts: {', '.join(known.contexts)}")
    for review in known.reviews:
        output.line(f"{review.at.isoformat()} {review.decision}: {review.reason}")
    if known.alarm is not None:
        output.line(f"claimed {known.alarm.at.isoformat()}: {known.alarm.evidence}", "bold red")
    output.document(
        {
            "ecosystem": ecosystem,
            "name": shown,
            "verdict": one.verdict,
            "reason": one.reason,
            "times_seen": one.times_seen,
            "prompts": one.prompts,
            "contexts": list(known.contexts),
            "repeats": list(known.repeats),
            "first_seen": one.first_seen,
            "last_seen": one.last_seen,
            "claimed_at": one.claimed_at,
            "samples": [sample.sample_id for sample in known.samples],
            "reviews": [
                {"decision": r.decision, "reason": r.reason, "at": r.at} for r in known.reviews
            ],
        }
    )


def _decide(decision: str, name: str, reason: str, home: Path | None, *, as_json: bool) -> None:
    from ghostbust.loop.recheck import decide
    from ghostbust.store.names import Decision

    ecosystem, wanted = _name(name)
    with open_to_change(home) as (_, store):
        said = decide(store, ecosystem, wanted, Decision(decision), reason)
    output = Output(as_json=as_json)
    output.line(f"{redact(wanted)}: {said}")
    output.document({"ecosystem": ecosystem, "decision": decision, "reason": reason})


def _name(text: str) -> tuple[Ecosystem, str]:
    from ghostbust.errors import UsageError
    from ghostbust.registries.names import ref_of

    ref = ref_of(text)
    if ref is None or ref.name is None:
        raise UsageError(f"{text!r} is no name in a registry")
    return ref.ecosystem, ref.name


# --- ledger
# ``ghostbust names``: the ledger of invented names, and how surely each comes back.

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
    from ghostbust.loop.build import find_adapter

    output = Output(as_json=as_json)
    with open_to_read(home) as (place, store):
        chosen = find_adapter(store, place, adapter)
        whose = None if chosen is None else chosen[0]
        page = store.ledger.page(
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
    from ghostbust.loop.repeating import ask_again
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    place = Home.open(home)
    settings = override(
        load_settings(config, place),
        model__name=model,
        model__endpoint=endpoint,
        registry__mode=registry,
    )
    with (
        on_interrupt("what was sampled is kept and counts; the same command asks for more"),
        Stages(output) as stages,
        open_session(place, settings, purpose="names repeat") as session,
    ):
        done = ask_again(
            session,
            stages,
            names=count,
            order=order,
            samples=samples,
            budget=budget,
            adapter=adapter,
            seed=seed,
        )
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
        "repeats": store.ledger.repeats_of(name.ecosystem, name.name),
        "first_seen": name.first_seen,
        "last_seen": name.last_seen,
        "claimed_at": name.claimed_at,
    }
