"""``ghostbust dashboard``: the store on the screen, live."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import BUG
from ghostbust.cli.options import RevealOption
from ghostbust.errors import UsageError

if TYPE_CHECKING:
    from ghostbust.home import Home


@invoked_with("home", "config")
def dashboard(
    cli: Invocation,
    plain: Annotated[
        bool, typer.Option("--plain", help="Print the overview once, as text, and exit.")
    ] = False,
    web: Annotated[
        bool, typer.Option("--web", help="Serve it to a browser on this machine.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of --web on the loopback.")
    ] = 8470,
    reveal: RevealOption = False,
) -> None:
    """Watch rates, names, samples, rounds, adapters, prompts and jobs; review and decide."""
    from ghostbust.store.connection import need_database

    place = cli.home
    if not place.path.is_dir():
        need_database(place.database)  # a typo is an error, an empty folder isn't
    settings = cli.settings
    if web:
        options = ["--reveal"] if reveal else []
        if cli.config_path is not None:
            options += ["--config", str(cli.config_path.absolute())]
        _serve(place, port, options)
        return
    if plain:
        from ghostbust.dashboard.overview import overview
        from ghostbust.dashboard.reading import Query, StoreReader

        zone = ZoneInfo(settings.jobs.time_zone)
        snapshot = StoreReader(place, zone).read(
            Query(reveal=cli.output.names_in_full(reveal), private=reveal)
        )
        cli.output.result.print(overview(snapshot, settings))
        return
    # Textual reads the keys from standard input and draws on standard error. Where it is served
    # to a browser, whoever serves it has named another driver, which needs no terminal.
    served = "TEXTUAL_DRIVER" in os.environ
    if not served and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("the dashboard needs a terminal; --plain prints the overview as text")
    from ghostbust.dashboard.app import Dashboard

    # What is served to a browser leaves the terminal, and may leave the machine.
    in_full = reveal if served else cli.output.names_in_full(reveal)
    board = Dashboard(place, reveal=in_full, private=reveal, config=settings)
    board.run()
    if board.return_code:
        raise typer.Exit(BUG)  # Textual has printed the traceback


def _serve(home: Home, port: int, options: list[str]) -> None:
    try:
        from ghostbust.dashboard.web import DashboardServer
    except ImportError as exc:
        raise UsageError("--web needs textual-serve: pip install 'ghostbust[web]'") from exc
    try:
        DashboardServer(home, port, options).serve()
    except OSError as exc:
        raise UsageError(f"can't serve on port {port}: {exc.strerror or exc}") from exc
