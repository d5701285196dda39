"""The dashboard: four tabs, refreshed every second from a connection that only reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar, Final

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Footer, Static, TabbedContent, TabPane

from ghostbust.dashboard.adapters_pane import AdaptersPane
from ghostbust.dashboard.names_pane import NamesPane
from ghostbust.dashboard.overview import overview
from ghostbust.dashboard.reading import Query, Reader, Snapshot
from ghostbust.dashboard.rounds_pane import RoundsPane
from ghostbust.dashboard.text import cell
from ghostbust.errors import StoreError
from ghostbust.home import Home

REFRESH_S: Final = 1.0
"""pause between two readings"""
FOCUS: Final = {
    "overview": "#overview-scroll",
    "names": "#names-table",
    "rounds": "#rounds-table",
    "adapters": "#adapters-table",
}
"""tab to what takes the keys in it"""


class Dashboard(App[None]):
    """The store of one home folder on the screen, read every ``refresh_s`` seconds."""

    CSS_PATH = "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{n}", f"tab('{tab}')", show=False) for n, tab in enumerate(FOCUS, 1)),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, home: Home, *, refresh_s: float = REFRESH_S) -> None:
        super().__init__()
        self.animation_level = "none"  # over a slow line, motion costs more than it shows
        self._home = home
        self._refresh_s = refresh_s
        self._reader = Reader(home.database)
        self._query = Query()
        self._wake = asyncio.Event()

    def compose(self) -> ComposeResult:
        """A status line, the tabs, the keys."""
        yield Static(cell(f"reading {self._home.database}"), id="status")
        with TabbedContent():
            with TabPane("1 Overview", id="overview"), VerticalScroll(id="overview-scroll"):
                yield Static(id="overview-text")
            with TabPane("2 Names", id="names"):
                yield NamesPane()
            with TabPane("3 Rounds", id="rounds"):
                yield RoundsPane()
            with TabPane("4 Adapters", id="adapters"):
                yield AdaptersPane(self._home)
        yield Footer()

    def on_mount(self) -> None:
        """Starts reading."""
        self.title = "ghostbust"
        self.action_tab("overview")
        self.follow()

    @work
    async def follow(self) -> None:
        """Reads and shows, again and again; the reading itself is done in a thread."""
        while True:
            self._wake.clear()
            seen = await asyncio.to_thread(self._read)
            if not self.is_running:  # closed meanwhile: there is no screen any more
                return
            if isinstance(seen, StoreError):
                # What was read before stays on the screen.
                self.query_one("#status", Static).update(cell(f"{seen}; waiting", "bold yellow"))
            else:
                self._show(seen)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._refresh_s)

    def on_names_pane_asked(self, event: NamesPane.Asked) -> None:
        """Another list of names is wanted, at once."""
        self._query = event.query
        self._wake.set()

    def on_adapters_pane_decided(self) -> None:
        """The store has changed: shows it at once."""
        self._wake.set()

    def action_tab(self, tab: str) -> None:
        """Goes to a tab, and to what takes the keys in it."""
        self.query_one(TabbedContent).active = tab
        # At once: `Widget.focus` would come behind keys that are typed already.
        self.set_focus(self.query_one(FOCUS[tab]))

    def _read(self) -> Snapshot | StoreError:
        """What there is to see now: the store, or why it can't be read."""
        try:
            return self._reader.read(self._query)
        except StoreError as exc:
            return exc

    def _show(self, snapshot: Snapshot) -> None:
        self.query_one("#status", Static).update(
            cell(f"{self._home.path}  read {snapshot.at:%H:%M:%S} UTC", "dim")
        )
        self.query_one("#overview-text", Static).update(overview(snapshot))
        self.query_one(NamesPane).show(snapshot)
        self.query_one(RoundsPane).show(snapshot)
        self.query_one(AdaptersPane).show(snapshot)
