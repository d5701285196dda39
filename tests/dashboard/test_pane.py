"""A decision: asked for a reason, made in a thread, and its outcome shown as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from ghostbust.config import Config
from ghostbust.dashboard.pane import Pane, ReasonDialog
from ghostbust.errors import StoreError
from ghostbust.home import Home


class BareApp(App[None]):
    decided = 0

    def compose(self) -> ComposeResult:
        yield Pane(Home(Path("nowhere")), Config())

    def on_decided(self) -> None:
        self.decided += 1


async def decide(decision: Callable[[str], str], *keys: str) -> tuple[BareApp, str]:
    """The app after a decision, and the texts of the dialog after the keys."""
    app = BareApp()
    async with app.run_test() as pilot:
        app.query_one(Pane).decide("Accept [b]it[/b]\x1b?", decision)
        while not isinstance(app.screen, ReasonDialog):
            await pilot.pause(0.02)
        statics = list(app.screen.query(Static))
        await pilot.press(*keys)
        await pilot.pause(0.1)
        text = "\n".join(str(static.render()) for static in statics)
    return app, text


async def test_the_reason_is_handed_on_and_the_outcome_is_text() -> None:
    keys = ("space", "s", "o", "space", "enter")
    app, _ = await decide(lambda reason: f"\x1b noted [red]{reason}[/red]", *keys)

    (said,) = app._notifications
    assert (said.message, said.severity) == ("\\x1b noted [red]so[/red]", "information")
    assert app.decided == 1


async def test_a_decision_that_is_refused_is_one_line_and_no_crash() -> None:
    def refuse(_reason: str) -> str:
        raise StoreError("the \x1b store is busy")

    app, _ = await decide(refuse, "n", "o", "enter")
    (said,) = app._notifications
    assert (said.message, said.severity) == ("the \\x1b store is busy", "error")
    assert not app.return_code


@pytest.mark.parametrize("keys", [("n", "escape"), ("space", "enter")])
async def test_without_a_reason_nothing_is_decided(keys: tuple[str, ...]) -> None:
    reasons: list[str] = []
    app, text = await decide(lambda reason: reasons.append(reason) or "", *keys)  # type: ignore[func-returns-value]

    assert (reasons, list(app._notifications), app.decided) == ([], [], 0)
    assert "Accept [b]it[/b]\\x1b?" in text
    assert ("it needs a reason" in text) is ("enter" in keys)
