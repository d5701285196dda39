"""``ghostbust adapters``: what rounds made, what serves, and moving that forward or back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, command_group
from ghostbust.cli.output import Output, cell
from ghostbust.documents import document_of
from ghostbust.errors import HomeError, UsageError

if TYPE_CHECKING:
    from ghostbust.loop.publish import Publishing
    from ghostbust.records import GateReport, Promotion
    from ghostbust.store.rounds import AdapterRow
    from ghostbust.store.store import Store


adapters = command_group("adapters", "List, show, promote, reject and roll back adapters.")

AdapterArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of an adapter.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the log.")
]
_COLOURS = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}


@adapters.command("list")
@invoked_with("home", "as_json")
def list_adapters(cli: Invocation) -> None:
    """List the adapters, newest first; the deployed one is marked.

    Of those that wait for approval also what each gate showed.
    """
    store = cli.open_store()
    deployed, rows = store.promotions.deployed(), store.rounds.adapters()
    cli.output.table(
        ("", "adapter", "round", "model", "gates", "made"),
        (
            (
                "*" if row.candidate.name == deployed else "", row.candidate.name, row.round_id,
                row.candidate.model, row.verdict or "not run", row.created.isoformat(),
            )
            for row in rows
        ),
    )  # fmt: skip
    cli.output.line(f"serves: {deployed or 'the base'}")
    for row in rows:
        report = store.rounds.gate_report(row.round_id)
        if report is not None and store.rounds.get(row.round_id).state == "waiting":
            print_gates(cli.output, report, title=f"{row.candidate.name} waits for approval")
    documents = [_document(row, deployed) for row in rows]
    cli.output.document({"deployed": deployed, "adapters": documents})


@adapters.command("show")
@invoked_with("home", "as_json")
def show(cli: Invocation, name: AdapterArgument) -> None:
    """Show an adapter: where it is, what made it, and what each gate said."""
    store = cli.open_store()
    row = _row(store, name)
    made, report = row.candidate, store.rounds.gate_report(row.round_id)
    cli.output.line(f"{name}, round {row.round_id} on {made.model}")
    cli.output.line(f"folder: {made.path}")
    cli.output.line(
        f"method {made.method}, seed {made.seed}, {made.steps} steps in {made.train_s:.0f} s"
    )
    if report is not None:
        print_gates(cli.output, report)
    gates = [] if report is None else list(report.results)
    cli.output.document(_document(row, store.promotions.deployed()) | {"gates": gates})


@adapters.command("promote")
@invoked_with("home", "config", "as_json")
def promote(
    cli: Invocation, name: AdapterArgument, reason: ReasonOption = "promoted by hand"
) -> None:
    """Let an adapter serve whose gates passed."""
    from ghostbust.loop.promote import promote as move

    store = _settled_store(cli)
    report = store.rounds.gate_report(_row(store, name).round_id)
    _say(cli.output, move(store, cli.home, name, report, reason, _publishing(cli, store)))


@adapters.command("reject")
@invoked_with("home", "as_json")
def reject(
    cli: Invocation, name: AdapterArgument, reason: ReasonOption = "rejected by hand"
) -> None:
    """Turn down an adapter that waits for approval."""
    from ghostbust.loop.promote import reject as turn_down

    turn_down(cli.open_store("change"), name, reason)
    cli.output.line(f"{name} is rejected")
    cli.output.document({"rejected": name, "reason": reason})


@adapters.command("rollback")
@invoked_with("home", "config", "as_json")
def rollback(cli: Invocation, reason: ReasonOption = "rolled back by hand") -> None:
    """Let serve again what served before the deployed adapter."""
    from ghostbust.loop.promote import roll_back

    store = _settled_store(cli)
    _say(cli.output, roll_back(store, cli.home, reason, _publishing(cli, store)))


@adapters.command("publish")
@invoked_with("home", "config", "as_json")
def publish(
    cli: Invocation,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of an adapter to try.")
    ] = None,
) -> None:
    """Have every server serve what is deployed, as after a restart; with NAME, load and try it."""
    from ghostbust.loop.build import deployed_adapter, find_adapter
    from ghostbust.loop.publish import bring_up, restore

    output, store = cli.output, cli.open_store("change")
    publishing = _publishing(cli, store)
    if name is not None:
        found = find_adapter(store, cli.home, name)
        if found is None:
            raise UsageError("the base needs no publishing; name an adapter")
        canaries = bring_up(publishing, store, *found)
        for canary in canaries:
            output.line(f"{canary.replica}: {canary.reason}")
        if not canaries:
            output.line("loaded; nobody could be asked, so there was no canary")
        output.document({"adapter": name, "canaries": canaries})
        return
    deployed = deployed_adapter(cli.home)
    troubles = restore(publishing, store, deployed)
    for trouble in troubles:
        output.note(trouble)
    served = len(publishing.publishers) - len(troubles)
    adapter = None if deployed is None else deployed[0]
    output.line(f"{adapter or 'the base'} serves at {served} of {len(publishing.publishers)}")
    output.document({"deployed": adapter, "served": served, "troubles": troubles})
    if troubles:
        raise typer.Exit(COULD_NOT_ASK)


@adapters.command("unpublish")
@invoked_with("home", "config", "as_json")
def unpublish(cli: Invocation, name: AdapterArgument) -> None:
    """Unload an adapter from every server; not the one that serves."""
    from ghostbust.loop.publish import unpublish as unload

    store = cli.open_store("change")
    if store.promotions.deployed() == name:
        raise UsageError(f"{name} serves; roll back, or promote another one, first")
    unload(_publishing(cli, store), store, name)
    cli.output.line(f"{name} is unloaded")
    cli.output.document({"adapter": name})


@adapters.command("status")
@invoked_with("home", "config", "as_json")
def status(cli: Invocation) -> None:
    """Show what each server has beside what is deployed; exits with 1 where they differ."""
    from ghostbust.loop.publish import stands

    store = cli.open_store()
    publishing, deployed = _publishing(cli, store), store.promotions.deployed()
    canaries = {row.replica: row.reason for row in reversed(store.published.canaries(deployed))}
    servers = list(stands(publishing, deployed))
    cli.output.line(f"deployed: {deployed or 'the base'}")
    cli.output.table(
        ("server", "clients get it", "loaded", "last canary of it"),
        (
            (
                one.where,
                cell("yes", "green") if one.ready else cell(one.said or "no", "red"),
                ", ".join(one.loaded),
                canaries.get(one.where) if deployed else None,
            )
            for one in servers
        ),
    )
    cli.output.document({"deployed": deployed, "pointer": publishing.pointer, "servers": servers})
    if any(one.said for one in servers):
        raise typer.Exit(COULD_NOT_ASK)
    if not all(one.ready for one in servers):
        raise typer.Exit(FINDINGS)


def print_gates(output: Output, report: GateReport, *, title: str | None = None) -> None:
    """What each gate of a report said, a row each."""
    output.table(
        ("gate", "verdict", "base", "candidate", "why"),
        (
            (
                one.gate,
                cell(one.verdict, _COLOURS[one.verdict]),
                None if one.base is None else f"{one.base:.3f}",
                None if one.candidate is None else f"{one.candidate:.3f}",
                f"{one.reason} ({one.test})" if one.test else one.reason,
            )
            for one in report.results
        ),
        title=title,
    )
    if report.said_older:
        output.line(report.said_older)


def _publishing(cli: Invocation, store: Store) -> Publishing:
    """Where adapters go, by the settings."""
    from ghostbust.loop.publish import make_publishing

    return make_publishing(cli.settings, cli.home, store)


def _settled_store(cli: Invocation) -> Store:
    """The store, its log brought up to the pointer that is about to move."""
    from ghostbust.loop.promote import settle

    store = cli.open_store("change")
    with suppress(HomeError):  # a pointer that can't be read is about to be replaced
        settle(store, cli.home)
    return store


def _row(store: Store, name: str) -> AdapterRow:
    row = store.rounds.adapter(name)
    if row is None:
        raise UsageError(f"there is no adapter {name!r}; `ghostbust adapters list` shows them")
    return row


def _document(row: AdapterRow, deployed: str | None) -> dict[str, object]:
    return document_of(
        row.candidate, without=("steps", "final_loss", "train_s"), round=row.round_id,
        verdict=row.verdict, created=row.created, deployed=row.candidate.name == deployed,
    )  # fmt: skip


def _say(output: Output, promotion: Promotion) -> None:
    output.line(
        f"{promotion.adapter or 'the base'} serves now (before: {promotion.previous or 'the base'})"
    )
    output.document({"deployed": promotion.adapter, "previous": promotion.previous})
