"""The small window that asks why."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ghostbust.dashboard.text import cell


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
