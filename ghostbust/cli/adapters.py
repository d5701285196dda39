"""``ghostbust adapters``: what rounds made, what serves, and moving that forward or back.

``publishing.py`` has the group's commands on model servers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import help_if_bare
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.settings import load_settings
from ghostbust.cli.stores import open_to_change, open_to_read

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.loop.publish import Publishing
    from ghostbust.records import GateReport, Promotion
    from ghostbust.store import AdapterRow, Store

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
