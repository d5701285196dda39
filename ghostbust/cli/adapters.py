"""``ghostbust adapters``: what rounds made, what serves, and moving that forward or back.

``publishing.py`` has the group's commands on model servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.context import load_settings, open_to_change, open_to_read
from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS, help_if_bare
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.publish import Publishing, ReplicaState
    from ghostbust.records import GateReport, Promotion
    from ghostbust.store.rounds import AdapterRow, Canary
    from ghostbust.store.store import Store


adapters = typer.Typer(name="adapters", help="List, show, promote, reject and roll back adapters.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of an adapter.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept in the log.")]


@adapters.callback(invoke_without_command=True)
def group(context: typer.Context) -> None:
    """List, show, promote, reject and roll back adapters."""
    help_if_bare(context)


@adapters.command("list")
def list_adapters(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the adapters, newest first; the deployed one is marked."""
    output = Output(as_json=as_json)
    with open_to_read(home) as (_, store):
        deployed = store.promotions.deployed()
        rows = table("", "adapter", "round", "model", "gates", "made")
        documents = []
        for row in store.rounds.adapters():
            serves = row.candidate.name == deployed
            rows.add_row(
                cell("*" if serves else ""),
                cell(row.candidate.name),
                cell(row.round_id),
                cell(row.candidate.model),
                cell(row.verdict or "not run"),
                cell(row.created.isoformat()),
            )
            documents.append(_document(row, deployed))
        output.result.print(rows)
        output.line(f"serves: {deployed or 'the base'}")
        output.document({"deployed": deployed, "adapters": documents})


@adapters.command("show")
def show(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show an adapter: where it is, what made it, and what each gate said."""
    output = Output(as_json=as_json)
    with open_to_read(home) as (_, store):
        row = _row(store, name)
        report = store.rounds.gate_report(row.round_id)
        deployed = store.promotions.deployed()
    output.line(f"{name}, round {row.round_id} on {row.candidate.model}")
    output.line(f"folder: {row.candidate.path}")
    output.line(
        f"method {row.candidate.method}, seed {row.candidate.seed}, {row.candidate.steps} steps "
        f"in {row.candidate.train_s:.0f} s"
    )
    if report is not None:
        output.result.print(gate_table(report))
    output.document(
        _document(row, deployed) | {"gates": [] if report is None else list(report.results)}
    )


@adapters.command("promote")
def promote(
    name: NameArgument,
    reason: ReasonOption = "promoted by hand",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an adapter serve whose gates passed."""
    from ghostbust.loop.promote import promote as move

    with _settled(home) as (place, store):
        report = store.rounds.gate_report(_row(store, name).round_id)
        publishing = _publishing(config, place, store)
        _say(Output(as_json=as_json), move(store, place, name, report, reason, publishing))


@adapters.command("reject")
def reject(
    name: NameArgument,
    reason: ReasonOption = "rejected by hand",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Turn down an adapter that waits for approval."""
    from ghostbust.loop.promote import reject as turn_down

    output = Output(as_json=as_json)
    with open_to_change(home) as (_, store):
        turn_down(store, name, reason)
    output.line(f"{name} is rejected")
    output.document({"rejected": name, "reason": reason})


@adapters.command("rollback")
def rollback(
    reason: ReasonOption = "rolled back by hand",
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let serve again what served before the deployed adapter."""
    from ghostbust.loop.promote import roll_back

    with _settled(home) as (place, store):
        publishing = _publishing(config, place, store)
        _say(Output(as_json=as_json), roll_back(store, place, reason, publishing))


def gate_table(report: GateReport) -> object:
    """What each gate of a report said, a row each."""
    colours = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}
    rows = table("gate", "verdict", "base", "candidate", "why")
    for result in report.results:
        rows.add_row(
            cell(result.gate),
            cell(result.verdict, colours[result.verdict]),
            cell("" if result.base is None else f"{result.base:.3f}"),
            cell("" if result.candidate is None else f"{result.candidate:.3f}"),
            cell(result.reason),
        )
    return rows


def _publishing(path: Path | None, home: Home, store: Store) -> Publishing:
    """Where adapters go, by the settings."""
    from ghostbust.loop.publish import make_publishing

    return make_publishing(load_settings(path, home), home, store)


@contextmanager
def _settled(path: Path | None) -> Iterator[tuple[Home, Store]]:
    """The home, its log brought up to the pointer that is about to move."""
    from ghostbust.errors import HomeError
    from ghostbust.loop.promote import settle

    with open_to_change(path) as (home, store):
        with suppress(HomeError):  # a pointer that can't be read is about to be replaced
            settle(store, home)
        yield home, store


def _row(store: Store, name: str) -> AdapterRow:
    from ghostbust.errors import UsageError

    row = store.rounds.adapter(name)
    if row is None:
        raise UsageError(f"there is no adapter {name!r}; `ghostbust adapters list` shows them")
    return row


def _document(row: AdapterRow, deployed: str | None) -> dict[str, object]:
    return {
        "name": row.candidate.name,
        "path": row.candidate.path,
        "round": row.round_id,
        "model": row.candidate.model,
        "method": row.candidate.method,
        "seed": row.candidate.seed,
        "verdict": row.verdict,
        "created": row.created,
        "deployed": row.candidate.name == deployed,
    }


def _say(output: Output, promotion: Promotion) -> None:
    output.line(
        f"{promotion.adapter or 'the base'} serves now (before: {promotion.previous or 'the base'})"
    )
    output.document({"deployed": promotion.adapter, "previous": promotion.previous})


# --- publishing
# ``ghostbust adapters publish``, ``unpublish``, ``status``: adapters at the model servers.


def publish(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Name of an adapter to try.")
    ] = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have every server serve what is deployed, as after a restart; with NAME, load and try it."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.build import deployed_adapter, find_adapter
    from ghostbust.loop.publish import bring_up, make_publishing, restore

    output = Output(as_json=as_json)
    with open_to_change(home) as (place, store):
        publishing = make_publishing(_settings(config, place), place, store)
        if name is not None:
            found = find_adapter(store, place, name)
            if found is None:
                raise UsageError("the base needs no publishing; name an adapter")
            canaries = bring_up(publishing, store, *found)
            _say_canaries(output, canaries)
            output.document({"adapter": name, "canaries": canaries})
            return
        deployed = deployed_adapter(place)
        troubles = restore(publishing, store, deployed)
    for trouble in troubles:
        output.note(trouble)
    served = len(publishing.publishers) - len(troubles)
    adapter = None if deployed is None else deployed[0]
    output.line(f"{adapter or 'the base'} serves at {served} of {len(publishing.publishers)}")
    output.document({"deployed": adapter, "served": served, "troubles": troubles})
    if troubles:
        raise typer.Exit(COULD_NOT_ASK)


def unpublish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an adapter.")],
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Unload an adapter from every server; not the one that serves."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.publish import make_publishing, unpublish

    output = Output(as_json=as_json)
    with open_to_change(home) as (place, store):
        if store.promotions.deployed() == name:
            raise UsageError(f"{name} serves; roll back, or promote another one, first")
        publishing = make_publishing(_settings(config, place), place, store)
        unpublish(publishing, store, name)
    output.line(f"{name} is unloaded")
    output.document({"adapter": name})


def status(
    home: HomeOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show what each server has beside what is deployed; exits with 1 where they differ."""
    from ghostbust.loop.publish import make_publishing, stands

    output = Output(as_json=as_json)
    with open_to_read(home) as (place, store):
        publishing = make_publishing(_settings(config, place), place, store)
        deployed = store.promotions.deployed()
        canaries = {row.replica: row for row in reversed(store.published.canaries(deployed))}
        found = list(stands(publishing, deployed))
    rows = table("server", "clients get it", "loaded", "last canary of it")
    for stand in found:
        canary = canaries.get(stand.where) if deployed else None
        rows.add_row(
            cell(stand.where),
            cell("yes" if stand.ready else stand.said or "no", "green" if stand.ready else "red"),
            cell(", ".join(stand.loaded)),
            cell(canary.reason if canary else ""),
        )
    output.line(f"deployed: {deployed or 'the base'}")
    output.result.print(rows)
    output.document({"deployed": deployed, "pointer": publishing.pointer, "servers": found})
    _exit_by(found)


def _exit_by(found: list[ReplicaState]) -> None:
    if any(stand.said for stand in found):
        raise typer.Exit(COULD_NOT_ASK)
    if not all(stand.ready for stand in found):
        raise typer.Exit(FINDINGS)


def _say_canaries(output: Output, canaries: list[Canary]) -> None:
    for canary in canaries:
        output.line(f"{canary.replica}: {canary.reason}")
    if not canaries:
        output.line("loaded; nobody could be asked, so there was no canary")


def _settings(path: Path | None, home: Home) -> Config:

    return load_settings(path, home)
