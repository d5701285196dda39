"""Who hears how far the loop is: the command line's progress bars, the daemon's log, nobody."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears what begins and how far it is."""

    def begin(self, what: str) -> None:
        """A stage begins, in words for a person."""

    def advance(self, done: int, total: int) -> None:
        """So many of the stage's answers are logged, of so many."""

    def step(self, number: int, of: int, loss: float) -> None:
        """A training step is done, its loss per answer in nats."""


class Silence:
    """A listener that does nothing."""

    def begin(self, what: str) -> None:
        """Does nothing."""

    def advance(self, done: int, total: int) -> None:
        """Does nothing."""

    def step(self, number: int, of: int, loss: float) -> None:
        """Does nothing."""
