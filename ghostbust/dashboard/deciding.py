"""What panes have in common: asking for other rows, and having a person's decision made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from textual import work
from textual.containers import Vertical
from textual.message import Message

from ghostbust.dashboard.dialog import ReasonDialog
from ghostbust.dashboard.reading import Snapshot
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
