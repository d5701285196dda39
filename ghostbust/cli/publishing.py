"""``ghostbust adapters publish``, ``unpublish``, ``status``: adapters at the model servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import COULD_NOT_ASK, FINDINGS
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.cli.settings import load_settings
from ghostbust.cli.stores import open_to_change, open_to_read

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.publish import Stand
    from ghostbust.store import Canary


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
    from ghostbust.loop.parts import deployed_adapter, find_adapter
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


def _exit_by(found: list[Stand]) -> None:
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
