"""What comes of a decision: said as text, and the store looked at again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import App, ComposeResult

from ghostbust.dashboard.decisions import DecidingPane, ReasonDialog
from ghostbust.dashboard.reading import Snapshot
from ghostbust.errors import StoreError

if TYPE_CHECKING:
    from tests.dashboard.conftest import Until


class BarePane(DecidingPane):
    def show(self, snapshot: Snapshot) -> None:
        """Shows nothing."""


class BareApp(App[None]):
    decided = 0

    def compose(self) -> ComposeResult:
        yield BarePane()

    def on_decided(self) -> None:
        self.decided += 1

    def said(self) -> list[tuple[str, str]]:
        return [(one.message, one.severity) for one in self._notifications]


async def decide(decision: Callable[[str], str], until: Until, *keys: str) -> BareApp:
    app = BareApp()
    async with app.run_test() as pilot:
        app.query_one(BarePane).decide("Accept [b]it[/b]?", decision)
        await until(pilot, lambda: isinstance(app.screen, ReasonDialog))
        await pilot.press(*keys)
        await until(pilot, lambda: not isinstance(app.screen, ReasonDialog))
        await pilot.pause(0.2)
    return app


async def test_the_reason_is_handed_on_and_the_outcome_is_text(until: Until) -> None:
    app = await decide(lambda reason: f"\x1b noted [red]{reason}[/red]", until, "s", "o", "enter")
    assert app.said() == [("\\x1b noted [red]so[/red]", "information")]
    assert app.decided == 1


async def test_what_can_not_be_decided_is_one_line_and_no_crash(until: Until) -> None:
    def refuse(_reason: str) -> str:
        raise StoreError("the \x1b store is busy")

    app = await decide(refuse, until, "n", "o", "enter")
    assert app.said() == [("the \\x1b store is busy", "error")]
    assert app.return_code is None or app.return_code == 0


async def test_who_leaves_it_decides_nothing(until: Until) -> None:
    reasons: list[str] = []

    def note(reason: str) -> str:
        reasons.append(reason)
        return ""

    app = await decide(note, until, "n", "escape")
    assert (reasons, app.said(), app.decided) == ([], [], 0)
