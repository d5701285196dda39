"""``ghostbust dashboard``: the store on the screen, live."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ghostbust.cli.edge import BUG
from ghostbust.cli.options import HomeOption
from ghostbust.cli.output import Output
from ghostbust.errors import UsageError


def dashboard(
    home: HomeOption = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print the overview once, as text, and exit.")
    ] = False,
) -> None:
    """Watch rates, names, rounds and adapters while the daemon works; approve and roll back."""
    from ghostbust.home import Home

    place = Home.open(home)
    if plain:
        from ghostbust.dashboard.overview import overview
        from ghostbust.dashboard.reading import Query, Reader

        Output().result.print(overview(Reader(place.database).read(Query())))
        return
    # Textual reads the keys from standard input and draws on standard error.
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the dashboard needs a terminal; --plain prints the overview as text")
    from ghostbust.dashboard.board import Dashboard

    board = Dashboard(place)
    board.run()
    if board.return_code:
        raise typer.Exit(BUG)  # Textual has printed the traceback
