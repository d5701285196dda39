"""A table that is filled again keeps its place."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.app import App, ComposeResult

from ghostbust.dashboard.table import Line, StoreTable


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield StoreTable("name", "length", id="shown")

    @property
    def table(self) -> StoreTable:
        return self.query_one(StoreTable)


def lines(names: Iterable[str]) -> list[Line]:
    return [Line(name, (Text(name), Text(str(len(name))))) for name in names]


NAMES = [f"ghost-{number:03d}" for number in range(100)]


async def test_the_cursor_stays_on_its_row_when_others_come_before_it() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES))
        await pilot.press("down", "down", "down")
        assert app.table.selected == "ghost-003"
        app.table.fill(lines(["new-1", "new-2", *NAMES]))
        await pilot.pause()

        assert app.table.selected == "ghost-003"
        assert app.table.cursor_row == 5


async def test_the_scroll_position_stays() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES))
        await pilot.press("pagedown", "pagedown", "up", "up")
        await pilot.pause()
        before = app.table.scroll_offset
        assert before.y > 0
        app.table.fill(lines([*NAMES[:-1], "other"]))
        await pilot.pause()

        assert app.table.scroll_offset == before


async def test_the_cursor_that_was_in_view_stays_in_view() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES))
        await pilot.press("down")
        app.table.fill(lines([*(f"new-{n}" for n in range(60)), *NAMES]))
        await pilot.pause()

        top = app.table.scroll_offset.y
        assert app.table.selected == "ghost-001"
        assert top <= app.table.cursor_row < top + app.table.size.height - 1


async def test_scrolling_away_from_the_cursor_is_respected() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES))
        await pilot.pause()
        app.table.scroll_to(y=40, animate=False, immediate=True)
        app.table.fill(lines(["new", *NAMES]))
        await pilot.pause()

        assert app.table.scroll_offset.y == 40
        assert app.table.selected == "ghost-000"


async def test_a_row_that_is_gone_leaves_the_cursor_on_its_line() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES[:4]))
        await pilot.press("down", "down", "down")
        app.table.fill(lines(NAMES[:2]))
        await pilot.pause()
        assert app.table.selected == "ghost-001"

        app.table.fill([])
        await pilot.pause()
        assert app.table.selected is None

        app.table.fill(lines(NAMES[:2]))
        await pilot.pause()
        assert app.table.selected == "ghost-000"


async def test_another_list_begins_at_its_top() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(lines(NAMES))
        await pilot.press("pagedown", "pagedown")
        app.table.fill(lines(reversed(NAMES)), keep_place=False)
        await pilot.pause()

        assert app.table.selected == "ghost-099"
        assert app.table.scroll_offset.y == 0
