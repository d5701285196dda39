"""The reason dialog gives a reason or None, never an empty text."""

from __future__ import annotations

from textual.app import App
from textual.widgets import Static

from ghostbust.dashboard.decisions import ReasonDialog

UNANSWERED = "nothing yet"


class Asking(App[None]):
    answer: str | None = UNANSWERED

    def on_mount(self) -> None:
        self.push_screen(ReasonDialog("Let [red]x[/red]\x1b serve?"), self._answered)

    def _answered(self, answer: str | None) -> None:
        self.answer = answer


async def test_enter_gives_the_reason() -> None:
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.press("space", *"good", "space", "enter")
        await pilot.pause()

        assert app.answer == "good"


async def test_escape_gives_none() -> None:
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.press(*"good", "escape")
        await pilot.pause()

        assert app.answer is None


async def test_an_empty_reason_is_asked_for_again() -> None:
    app = Asking()
    async with app.run_test() as pilot:
        await pilot.press("space", "enter")
        await pilot.pause()

        assert app.answer == UNANSWERED
        assert "needs a reason" in str(app.screen.query_one("#dialog-keys", Static).render())


async def test_the_question_is_text() -> None:
    app = Asking()
    async with app.run_test():
        question = str(app.screen.query(Static).first().render())

        assert question == "Let [red]x[/red]\\x1b serve?"
