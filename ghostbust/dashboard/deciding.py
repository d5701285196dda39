"""What panes have in common: asking for other rows, and having a person's decision made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

from textual import work
from textual.containers import Vertical, VerticalScroll
from textual.message import Message

from ghostbust.dashboard.dialog import ReasonDialog
from ghostbust.dashboard.reading import Snapshot
from ghostbust.dashboard.table import StoreTable
from ghostbust.errors import GhostbustError
from ghostbust.shown import visible


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
