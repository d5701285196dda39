"""``ghostbust names``: the ledger of invented names, what a person decides on them, and how surely
each comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, command_group
from ghostbust.cli.options import (
    AdapterOption,
    EndpointOption,
    ModelOption,
    RegistryModeOption,
    RevealOption,
)
from ghostbust.cli.output import Output
from ghostbust.documents import document_of
from ghostbust.errors import UsageError
from ghostbust.store.names import NameOrder
from ghostbust.text import came_back, redact

if TYPE_CHECKING:
    from ghostbust.records import Ecosystem, Hallucination
    from ghostbust.store.store import Store

names = command_group("names", "Invented names: list, review, ask for them again.")

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="A name of the ledger: acme-core, @acme/ui, a purl.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept beside the decision.")
]
OrderOption = Annotated[
    NameOrder,
    typer.Option("--order", help="Counts and times run downwards; repeats: surest first."),
]
DECISIONS = {
    "accept": "Note that a name is invented indeed; nothing else changes.",
    "ignore": "Leave a name out of the lists, unless they are asked for it.",
    "allow": "Vouch for a name: `check` passes it over, and no round trains on it.",
    "reopen": "Take the decision on a name back.",
}
"""what a person can decide, each a command"""


@names.command("show")
@invoked_with("home", "as_json")
def show(cli: Invocation, name: NameArgument, reveal: RevealOption = False) -> None:
    """Show all that is known of a name: contexts, samples, repeats, alarm, decisions."""
    ecosystem, wanted = _parsed(name)
    store, output = cli.open_store(), cli.output
    known = store.ledger.details(ecosystem, wanted, adapter=store.promotions.deployed())
    if known is None:
        raise UsageError(f"the ledger has no name {wanted!r} of {ecosystem}")
    one, reveal = known.name, output.names_in_full(reveal)
    output.line(f"{_shown(one, reveal)} ({ecosystem}): {one.verdict}, {one.reason}")
    output.line(f"seen {one.times_seen} times, by {one.prompts} prompts")
    output.line(f"came back: {came_back(one)}")
    output.line(f"first {one.first_seen.isoformat()}, last {one.last_seen.isoformat()}")
    output.line(f"contexts: {', '.join(known.contexts)}")
    for review in known.reviews:
        output.line(f"{review.at.isoformat()} {review.decision}: {review.reason}")
    if known.alarm is not None:
        output.line(f"claimed {known.alarm.at.isoformat()}: {known.alarm.evidence}", "bold red")
    output.document(
        _document(one, known.repeats, reveal=reveal)
        | {
            "contexts": known.contexts,
            "samples": [sample.sample_id for sample in known.samples],
            "reviews": [
                {"decision": r.decision, "reason": r.reason, "at": r.at} for r in known.reviews
            ],
        }
    )


def _command_for(decision: str) -> Callable[..., None]:
    @invoked_with("home", "as_json")
    def command(cli: Invocation, name: NameArgument, reason: ReasonOption = "by hand") -> None:
        from ghostbust.loop.recheck import decide
        from ghostbust.store.names import Decision

        ecosystem, wanted = _parsed(name)
        said = decide(cli.open_store("change"), ecosystem, wanted, Decision(decision), reason)
        shown = wanted if cli.output.names_in_full(reveal=False) else redact(wanted)
        cli.output.line(f"{shown}: {said}")
        cli.output.document({"ecosystem": ecosystem, "decision": decision, "reason": reason})

    return command


for _decision, _what in DECISIONS.items():
    names.command(_decision, help=_what)(_command_for(_decision))


@names.command("lookup")
@invoked_with("home", "config", "as_json")
def look_up(cli: Invocation, name: NameArgument) -> None:
    """Ask the live registry for an invented name now; one that is registered is an alarm.

    Exits with 1 if it is registered, with 3 if the registry gave no answer.
    """
    from ghostbust.loop import recheck
    from ghostbust.records import Verdict

    store = cli.open_store("change")
    with recheck.open_fresh_judge(cli.home) as judge:
        lookup = recheck.look_up(store, judge, cli.settings, *_parsed(name))
    is_registered = recheck.is_registered(lookup)
    cli.output.line(f"{lookup.name} ({lookup.ecosystem}): {lookup.verdict}, {lookup.evidence}")
    cli.output.document({"lookup": lookup, "registered": is_registered})
    if is_registered:
        raise typer.Exit(FINDINGS)
    if lookup.verdict is Verdict.UNKNOWN:
        raise typer.Exit(COULD_NOT_ASK)


@names.command("list")
@invoked_with("home", "as_json")
def list_names(
    cli: Invocation,
    search: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Part of a name, in any case.")
    ] = "",
    order: OrderOption = NameOrder.TIMES_SEEN,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Names listed, at most.")] = 50,
    adapter: AdapterOption = "deployed",
    ignored: Annotated[
        bool, typer.Option("--ignored", help="Also those that a person ignores.")
    ] = False,
    reveal: RevealOption = False,
) -> None:
    """List the invented names: how often each was seen, and how often it came back when asked for.

    "8 of 10" means: of 10 samples of prompts that had elicited the name, drawn since they first
    did, 8 named it again.
    """
    from ghostbust.loop.build import find_adapter

    store = cli.open_store()
    chosen = find_adapter(store, cli.home, adapter)
    whose = None if chosen is None else chosen[0]
    page = store.ledger.page(
        search=search, order=order, limit=limit, adapter=whose, ignored=ignored
    )
    found = [line.name for line in page.lines]
    total = store.ledger.count_new_inventions()
    reveal = cli.output.names_in_full(reveal)
    _print(cli.output, found, whose, reveal=reveal)
    cli.output.line(f"{len(found)} of {total} names")
    documents = _documents(store, found, reveal=reveal)
    cli.output.document({"adapter": whose, "names": documents, "total": total})


@names.command("repeat")
@invoked_with("home", "config", "as_json", "quiet")
def repeat(
    cli: Invocation,
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
) -> None:
    """Ask again what elicited the first names of an order, and count how often they come back.

    Of each name, the prompt that elicited it most often is asked; prompts of which no text was kept
    can't be.
    """
    from ghostbust.loop.sweep import ask_again

    cli.configure(model__name=model, model__endpoint=endpoint, registry__mode=registry)
    kept = "what was sampled is kept and counts; the same command asks for more"
    with cli.session("names repeat", if_interrupted=kept) as (session, stages):
        done = ask_again(
            session, stages, names=count, order=order, samples=samples, budget=budget,
            adapter=adapter, seed=seed,
        )  # fmt: skip
        reveal = cli.output.names_in_full(reveal)
        documents = _documents(session.store, done.names, reveal=reveal)
    _print(cli.output, done.names, done.adapter, reveal=reveal)
    cli.output.line(
        f"run {done.run_id}: {done.answers} samples of {done.prompts} prompts, seed {done.seed}"
    )
    if done.textless:
        cli.output.note(f"{done.textless} names left out: no text of their prompts was kept")
    cli.output.document(
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


def _parsed(text: str) -> tuple[Ecosystem, str]:
    from ghostbust.registries.names import ref_of

    ref = ref_of(text)
    if ref is None or ref.name is None:
        raise UsageError(f"{text!r} is no name in a registry")
    return ref.ecosystem, ref.name


def _shown(name: Hallucination, reveal: bool) -> str:
    return name.name if reveal else redact(name.name)


def _print(
    output: Output, found: Sequence[Hallucination], adapter: str | None, *, reveal: bool
) -> None:
    output.table(
        ("name", "in", "verdict", "reason", "seen", "prompts", "came back", "last seen"),
        (
            (
                _shown(one, reveal), one.ecosystem, one.verdict, one.reason, one.times_seen,
                one.prompts, came_back(one), one.last_seen.date().isoformat(),
            )
            for one in found
        ),
        title=f"came back: with {adapter or 'the base'}",
    )  # fmt: skip


def _documents(
    store: Store, found: Sequence[Hallucination], *, reveal: bool
) -> list[dict[str, object]]:
    """The names as JSON, with their repeats by every adapter that was asked for them."""
    return [
        _document(one, store.ledger.repeats_of(one.ecosystem, one.name), reveal=reveal)
        for one in found
    ]


def _document(name: Hallucination, repeats: Sequence[object], *, reveal: bool) -> dict[str, object]:
    return document_of(
        name, without=("asked_again", "came_back"), name=_shown(name, reveal), repeats=repeats
    )
