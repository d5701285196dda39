"""``ghostbust registry imports``: the table by which imports are mapped, from metadata at hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ghostbust.cli.options import HomeOption, JsonOption
from ghostbust.cli.output import Output, cell, table
from ghostbust.errors import DataError, UsageError
from ghostbust.records import Ecosystem


def imports(
    wheels: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[WHEEL]...", help="Wheels to read.", show_default=False),
    ] = None,
    installed: Annotated[
        bool, typer.Option("--installed", help="Also what this interpreter has installed.")
    ] = False,
    site: Annotated[
        list[Path] | None,
        typer.Option("--site", help="Also what is installed in this folder; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Table to extend; made if it isn't there. Else only shown."),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which distribution provides which module, from wheels and installed metadata.

    Asks nobody. Of several providers the most downloaded one is taken, the others are noted.
    """
    if not wheels and not installed and not site:
        raise UsageError("nothing to read: give wheels, --installed or --site FOLDER")
    from ghostbust.home import Home
    from ghostbust.registries.import_facts import facts_of_installed, facts_of_wheel
    from ghostbust.registries.import_table import ImportTable, extended, read_table, table_text
    from ghostbust.registries.manifest import replace_file
    from ghostbust.registries.snapshot import Snapshot, find_snapshot

    facts = [fact for wheel in wheels or () for fact in facts_of_wheel(wheel)]
    facts += facts_of_installed() if installed else []
    facts += facts_of_installed(site) if site else []
    snapshot = Snapshot.load(find_snapshot(Ecosystem.PYPI, Home.find(home).registry))
    made = ImportTable(snapshot, datetime.now(UTC).date()).rows(facts)
    before = read_table(out) if out else []
    rows = extended(before, made)
    if out:
        try:
            replace_file(out, table_text(rows).encode())
        except OSError as exc:
            raise DataError(f"{out}: can't be written ({exc.strerror})") from exc
    output = Output(as_json=as_json)
    output.document({"facts": len(facts), "before": len(before), "rows": rows, "path": out})
    shown = table("module", "distribution", "version", "source", "read", "note")
    for row in rows:
        shown.add_row(
            cell(row.module), cell(row.distribution or "(shared)"), cell(row.version),
            cell(row.source), cell(row.day), cell(row.note),
        )  # fmt: skip
    output.result.print(shown)
