"""``ghostbust bench checkouts``: what `check` says of real repositories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.options import JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.errors import UsageError

if TYPE_CHECKING:
    from ghostbust.cli.checkout_scores import Scored
    from ghostbust.cli.findings import Finding


def checkouts(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Each folder in it is a checkout.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="List what is accused, and what only the other found.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every checkout in a folder by the snapshots: places, accusations, what is missed.

    A second reader (ast, json, packaging) says what imports and dependencies there are. Which
    accusations are wrong is for a person to say: --show lists them.
    """
    from ghostbust.cli.checkout_scores import score_checkout
    from ghostbust.registries.judge import Mode, default_judge

    if not folder.is_dir() or not (found := sorted(p for p in folder.iterdir() if p.is_dir())):
        raise UsageError(f"{folder}: should be a folder of checkouts")
    output = Output(as_json=as_json)
    with default_judge(Mode.SNAPSHOT) as judge:
        scored = [score_checkout(one, judge) for one in found]
    output.document({"checkouts": [_document(one) for one in scored]})
    if show:
        for one in scored:
            for finding in one.accused:
                output.line(_accusation(finding))
            for spot in one.missed:
                output.line(f"{spot.path}:{spot.line}: missed {spot.name}")
    rows = table("checkout", "files", "places", "ABSENT", "SUSPECT", "per 1,000", "missed", "CPU s")
    for one in scored:
        rows.add_row(*map(cell, _row(one)))
    if len(scored) > 1:
        rows.add_row(*map(cell, _row(_sum(scored))))
    output.result.print(rows)


def _row(one: Scored) -> list[str]:
    share = f"{1000 * len(one.accused) / one.places:.1f}" if one.places else "-"
    return [
        one.name, f"{one.files:,}", f"{one.places:,}", str(one.verdicts["ABSENT"]),
        str(one.verdicts["SUSPECT"]), share, f"{len(one.missed)} of {one.expected:,}",
        f"{one.cpu_s:.1f}",
    ]  # fmt: skip


def _sum(scored: list[Scored]) -> Scored:
    from ghostbust.cli.checkout_scores import Scored

    total = Scored("all")
    for one in scored:
        total.files += one.files
        total.verdicts += one.verdicts
        total.accused += one.accused
        total.expected += one.expected
        total.missed += one.missed
        total.cpu_s += one.cpu_s
    return total


def _document(one: Scored) -> dict[str, object]:
    return {
        "checkout": one.name,
        "files": one.files,
        "places": one.places,
        "verdicts": one.verdicts,
        "accused": [_accusation(finding) for finding in one.accused],
        "expected": one.expected,
        "missed": [f"{spot.path}:{spot.line}: {spot.name}" for spot in one.missed],
        "cpu_s": one.cpu_s,
    }


def _accusation(one: Finding) -> str:
    assert one.place is not None
    lookup, place = one.lookup, one.place
    where = f"{place.path}:{place.line}:{place.column}"
    return f"{where}: {lookup.verdict} {lookup.name} ({lookup.reason})"
