"""``ghostbust registry diff``: what appeared and what vanished between two snapshots."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from ghostbust.cli.options import HomeOption, JsonOption, RevealOption
from ghostbust.cli.output import Output
from ghostbust.cli.registry import EcosystemOption
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem
from ghostbust.shown import redact


def diff(
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="Day (YYYY-MM-DD) or path of a snapshot.")
    ],
    new: Annotated[
        str | None,
        typer.Argument(metavar="[NEW]", help="The same.", show_default="the one in use"),
    ] = None,
    ecosystem: EcosystemOption = "pypi",
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="List so many of each at most.")
    ] = None,
    reveal: RevealOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which names appeared, and which vanished, from one snapshot to another."""
    from ghostbust.home import Home
    from ghostbust.registries.history import appeared, named_snapshot
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    output = Output(as_json=as_json)
    folder, whose = Home.find(home).registry, Ecosystem(ecosystem)
    before = named_snapshot(old, whose, folder)
    after = (
        Snapshot.load(find_snapshot(whose, folder))
        if new is None
        else named_snapshot(new, whose, folder)
    )
    if not (before.complete and after.complete):
        output.note("not both are complete: a name that one lacks needn't have been absent")
    if before.ecosystem is not after.ecosystem:
        raise UsageError(f"{old} is of {before.ecosystem}, {new} of {after.ecosystem}")
    came, gone = sorted(appeared(before, after)), sorted(appeared(after, before))
    output.document(
        {
            "ecosystem": ecosystem,
            "old": before.manifest.date,
            "new": after.manifest.date,
            "appeared": len(came),
            "vanished": len(gone),
            "appeared_names": came[:limit],
            "vanished_names": [name if reveal else redact(name) for name in gone[:limit]],
        }
    )
    output.line(f"{before.date} to {after.date}: {len(came):,} appeared, {len(gone):,} vanished")
    for name in islice(came, limit):
        output.line(f"+ {name}")
    for name in islice(gone, limit):
        # Free to register now, by anybody.
        output.line(f"- {name if reveal else redact(name)}")
