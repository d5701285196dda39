"""A person's decisions on adapters and names: the dashboard's only writes.

Each opens the store for as long as it takes, and returns one line on what came of it. Raises
GhostbustError, one line, where it can't be done; then nothing has changed. ``config`` is what the
dashboard was started with: no settings are read here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ghostbust.config import Config
from ghostbust.dashboard.reading import Snapshot
from ghostbust.dashboard.widgets import StoreTable, cell
from ghostbust.errors import GhostbustError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.loop import promote, recheck
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.recheck import decide, open_fresh_judge
from ghostbust.records import Ecosystem
from ghostbust.store.names import Decision
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from ghostbust.text import redact, visible


def approve(home: Home, name: str, reason: str, *, config: Config) -> str:
    """Let an adapter serve that waits for approval. Raises UsageError where it doesn't wait."""
    with _store(home) as store:
        row = store.rounds.adapter(name)
        state = None if row is None else store.rounds.get(row.round_id).state
        if row is None or state is not RoundState.WAITING:
            raise UsageError(f"{name} doesn't wait for approval: its round is {state or 'gone'}")
        report = store.rounds.gate_report(row.round_id)
        publishing = make_publishing(config, home, store)
        promotion = promote.promote(store, home, name, report, reason, publishing)
    return f"{name} serves now, before it {promotion.previous or 'the base'}"


def roll_back(home: Home, deployed: str, reason: str, *, config: Config) -> str:
    """Let serve what served before ``deployed``, which the person saw serving.

    Raises UsageError where another one serves by now.
    """
    with _store(home) as store:
        serving = store.promotions.deployed()
        if serving != deployed:
            raise UsageError(f"{serving or 'the base'} serves by now; look again")
        promotion = promote.roll_back(store, home, reason, make_publishing(config, home, store))
    return f"{promotion.adapter or 'the base'} serves now, before it {deployed}"


def reject(home: Home, name: str, reason: str) -> str:
    """Turn down an adapter that waits for approval. Raises UsageError where it doesn't wait."""
    with _store(home) as store:
        promote.reject(store, name, reason)
    return f"{name} is rejected"


def review(home: Home, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> str:
    """Note what the person says of an invented name."""
    with _store(home) as store:
        return f"{redact(name)}: {decide(store, ecosystem, name, decision, reason)}"


def look_up(home: Home, ecosystem: Ecosystem, name: str, *, config: Config) -> str:
    """Ask the live registry for the name now; a name that is registered is an alarm."""
    with _store(home) as store, open_fresh_judge(home) as judge:
        lookup = recheck.look_up(store, judge, config, ecosystem, name)
    return f"{redact(name)}: {lookup.verdict}, {lookup.reason}"


def _store(home: Home) -> Store:
    """The open store, which must be there: a decision doesn't make one."""
    if not home.database.is_file():
        raise StoreError(f"there is no database at {home.database}: nothing to decide on")
    return Store.open(home.database)


# --- dialog
# The small window that asks why.


class ReasonDialog(ModalScreen[str | None]):
    """Returns the reason given, never an empty one; None where the person left it."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Leave it")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """The question, a line to write on, the keys."""
        with Vertical(id="dialog"):
            yield Static(cell(self._question))
            yield Input(placeholder="the reason, for the log", max_length=200)
            yield Static("Enter goes ahead, Escape leaves it", id="dialog-keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: with a reason, goes ahead."""
        reason = event.value.strip()
        if reason:
            self.dismiss(reason)
        else:
            self.query_one("#dialog-keys", Static).update("it needs a reason; Escape leaves it")

    def action_leave(self) -> None:
        """Escape: changes nothing."""
        self.dismiss(None)


# --- deciding
# What panes have in common: asking for other rows, and having a person's decision made.


class Asked(Message):
    """Something else is to be looked at: other values of the query's fields."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.changes = changes


class Decided(Message):
    """The store has changed."""


class Pane(Vertical):
    """What one tab holds."""

    def show(self, snapshot: Snapshot) -> None:
        """Shows what the snapshot has for it."""
        raise NotImplementedError


class DetailsPane(Pane):
    """A table, and below it what the row under the cursor is about."""

    field: ClassVar[str]
    """the query's field that says which row's details are wanted"""

    def on_store_table_moved(self) -> None:
        """The cursor moved: the row's details are wanted."""
        self.ask_of_selected()

    def ask_of_selected(self) -> None:
        """Has the details of the row under the cursor read."""
        self.post_message(Asked(**{self.field: self.query_one(StoreTable).selected}))

    def action_scroll(self, by: int) -> None:
        """Moves in the details, while the table keeps the keys."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


class DecidingPane(Pane):
    """A pane in which a person decides."""

    @work
    async def decide(self, question: str, decision: Callable[[str], str]) -> None:
        """Asks for a reason, decides in a thread of its own, and says what came of it."""
        reason = await self.app.push_screen_wait(ReasonDialog(question))
        if reason is not None:
            await self._make(lambda: decision(reason))

    @work
    async def act(self, action: Callable[[], str]) -> None:
        """Acts in a thread of its own, and says what came of it."""
        await self._make(action)

    async def _make(self, action: Callable[[], str]) -> None:
        try:
            outcome = await asyncio.to_thread(action)
        except GhostbustError as exc:
            self.notify(visible(str(exc)), severity="error", timeout=10, markup=False)
        else:
            self.notify(visible(outcome), markup=False)
        self.post_message(Decided())
