"""The dashboard: seven tabs, refreshed every second from a connection that only reads."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text
from textual import events, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static, TabbedContent, TabPane

from ghostbust.config import Config
from ghostbust.dashboard.answer_panes import NamesPane, PromptsPane, SamplesPane
from ghostbust.dashboard.overview import BESIDE_PLOT, PLOT_ROWS, overview
from ghostbust.dashboard.pane import Pane, QueryChanged
from ghostbust.dashboard.reading import Query, StoreReader, StoreSnapshot, version_of
from ghostbust.dashboard.widgets import bare_table, cell
from ghostbust.dashboard.work_panes import AdaptersPane, JobsPane, RoundsPane
from ghostbust.errors import StoreError
from ghostbust.home import Home

MOVES: Final = (
    ("1 … 7", "go to a tab"),
    ("arrows, PgUp, PgDn, Home, End", "move in it"),
    ("Tab, Shift+Tab", "next part of the screen"),
)
"""keys that Textual binds, and the tabs'"""
REFRESH_S: Final = 1.0
"""pause between two readings"""
AT_LEAST_EVERY_S: Final = 10.0
"""pause after which the store is read although its files seem unchanged.

Two writes within one tick of the file system's clock leave the same time behind.
"""
PANES: Final[dict[str, type[Pane]]] = {
    "names": NamesPane,
    "samples": SamplesPane,
    "rounds": RoundsPane,
    "adapters": AdaptersPane,
    "prompts": PromptsPane,
    "jobs": JobsPane,
}
FOCUS: Final = {"overview": "#overview-scroll"} | {tab: f"#{tab}-table" for tab in PANES}
"""tab to the widget that takes the keys in it"""


class Dashboard(App[None]):
    """The store of one home folder on the screen, read every ``refresh_s`` seconds."""

    CSS_PATH = "dashboard.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"{n}", f"tab('{tab}')", show=False) for n, tab in enumerate(FOCUS, 1)),
        Binding("v", "reveal", "Reveal", tooltip="show names and private texts, or hide them"),
        Binding("t", "theme", "Light or dark", show=False),
        Binding("question_mark", "keys", "Keys"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(
        self,
        home: Home,
        *,
        refresh_s: float = REFRESH_S,
        reveal: bool = False,
        private: bool = False,
        config: Config | None = None,
    ) -> None:
        """``config``: the settings, also of decisions; None: the defaults."""
        super().__init__()
        self.animation_level = "none"  # over a slow line, motion costs more than it shows
        self._home = home
        self._refresh_s = refresh_s
        self._config = Config() if config is None else config
        self._reader = StoreReader(home, ZoneInfo(self._config.jobs.time_zone))
        self._query = Query(reveal=reveal, private=private)
        self._wake = asyncio.Event()
        self._seen: tuple[object, ...] = ()
        """the query and the version of the store that are on the screen"""
        self._due = 0.0
        self.shown: Query | None = None
        """the query that is on the screen; None before the first reading"""

    def compose(self) -> ComposeResult:
        yield Static(cell(f"reading {self._home.database}"), id="status")
        with TabbedContent():
            with TabPane("1 Overview", id="overview"), VerticalScroll(id="overview-scroll"):
                yield Static(id="overview-text")
            for number, (tab, pane) in enumerate(PANES.items(), 2):
                with TabPane(f"{number} {tab.capitalize()}", id=tab):
                    yield pane(self._home, self._config)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.title = "ghostbust"
        self.action_tab("overview")
        self.follow()

    def on_unmount(self) -> None:
        gc.unfreeze()

    @work
    async def follow(self) -> None:
        """Reads in a thread and shows, every ``refresh_s`` seconds, or at once when woken."""
        while True:
            self._wake.clear()
            query, version = self._query, version_of(self._home.database)
            due = time.monotonic() >= self._due
            # The tab of jobs shows processes too, which don't write to the store.
            if (query, version) != self._seen or due or query.tab == "jobs":
                snapshot, error = None, ""
                try:
                    snapshot = await asyncio.to_thread(
                        self._reader.read, query, None if due else version
                    )
                except StoreError as exc:
                    error = str(exc)
                if not self.is_running:  # closed meanwhile: there is no screen any more
                    return
                if snapshot is None:  # what was read before stays on the screen
                    status = cell(f"{error}; waiting", "bold yellow")
                    self.query_one("#status", Static).update(status)
                    self._seen = ()
                else:
                    self.show(snapshot)
                    self._seen = (query, version)
                    if due:
                        self._due = time.monotonic() + AT_LEAST_EVERY_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._refresh_s)

    async def on_event(self, event: events.Event) -> None:
        """Acts on a key before the next one is handled.

        Textual passes keys to the focused widget and acts once they come back. Of keys that
        arrive together, as `/` and a text do over a slow line, all would go to the table.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            # As Textual does: a person who types has come back to the window.
            self.app_focus = True
            bound = self.screen.active_bindings.get(event.key)
            if bound is not None and bound.enabled and not isinstance(self.focused, Input):
                await self.run_action(bound.binding.action, bound.node)
                return
        await super().on_event(event)

    def on_query_changed(self, event: QueryChanged) -> None:
        """Reads the rows that the person asks for, at once."""
        query = replace(self._query, **event.changes)
        if query != self._query:
            self._query = query
            self._wake.set()
        if event.changes.get("tab"):
            self.action_tab(event.changes["tab"])

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Reads for the tab in front, which a key or the mouse chose."""
        tab = event.pane.id
        if tab is not None and tab != self._query.tab:
            self._query = replace(self._query, tab=tab)
            self._wake.set()

    def on_resize(self) -> None:
        """Draws the plot as tall as the window is now."""
        if self.shown is not None:
            self.on_decided()

    def on_decided(self) -> None:
        """Reads at once what the decision changed."""
        self._seen = ()
        self._wake.set()

    def action_tab(self, tab: str) -> None:
        """Goes to a tab, and to the widget that takes the keys in it."""
        self.query_one(TabbedContent).active = tab
        # Not `Widget.focus`, which would wait behind keys that are typed already.
        self.set_focus(self.query_one(FOCUS[tab]))

    def action_reveal(self) -> None:
        shown = not self._query.reveal
        self._query = replace(self._query, reveal=shown, private=shown)
        self._wake.set()

    def action_theme(self) -> None:
        dark = self.current_theme.dark
        self.theme = "textual-light" if dark else "textual-dark"

    def action_keys(self) -> None:
        tab = self.query_one(TabbedContent).active
        sections = [("", self.BINDINGS[len(FOCUS) :])]
        if tab in PANES:
            sections.append((tab, PANES[tab].BINDINGS))
        self.push_screen(KeysDialog(sections))

    def show(self, snapshot: StoreSnapshot) -> None:
        """Puts a snapshot on the screen."""
        with self.batch_update():
            self.query_one("#status", Static).update(
                cell(f"{self._home.path}  read {snapshot.at:%H:%M:%S} UTC", "dim")
            )
            if snapshot.query.tab == "overview":
                rows = max(PLOT_ROWS, self.size.height - BESIDE_PLOT)
                text = overview(snapshot, self._config, rows)
                self.query_one("#overview-text", Static).update(text)
            for pane in PANES.values():
                self.query_one(pane).show(snapshot)
        if self.shown is None:
            # What is loaded by now stays loaded. Frozen, it doesn't lengthen each full collection
            # of garbage, which otherwise stops a key half-way for 0.1 s.
            gc.freeze()
        self.shown = snapshot.query


class KeysDialog(ModalScreen[None]):
    """Lists the keys, of the whole and of the tab in front. Escape, q, ? or Enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Close", show=False)
    ]

    def __init__(self, sections: Sequence[tuple[str, Iterable[BindingType]]]) -> None:
        super().__init__()
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="keys"):
            yield Static(keys_table(self._sections))


def keys_table(sections: Sequence[tuple[str, Iterable[BindingType]]]) -> Table:
    """Every key that has words, below the title of its section."""
    table = bare_table(header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(Text("everywhere", "bold"), Text("Escape closes this", "dim"))
    for key, what in MOVES:
        table.add_row(Text(key), Text(what))
    for title, bindings in sections:
        listed = [b for b in bindings if isinstance(b, Binding) and b.description]
        if title and listed:
            table.add_row(Text(title, "bold"), Text())
        for binding in listed:
            key = {"question_mark": "?"}.get(binding.key, binding.key)
            table.add_row(Text(key), Text(binding.tooltip or binding.description))
    return table
