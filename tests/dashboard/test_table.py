"""A table that is filled again keeps its place."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from rich.text import Text
from textual.app import App, ComposeResult

from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import cell, figure


class Shown(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def compose(self) -> ComposeResult:
        yield StoreTable("name", "length", id="shown")

    def on_store_table_moved(self) -> None:
        self.events.append(f"at {self.table.selected}")

    def on_store_table_chosen(self) -> None:
        self.events.append(f"chosen {self.table.selected}")

    def line(self, y: int) -> str:
        return self.table.render_line(y).text

    @property
    def table(self) -> StoreTable:
        return self.query_one(StoreTable)


def rows(names: Iterable[str]) -> list[TableRow]:
    return [TableRow(name, (Text(name), Text(str(len(name))))) for name in names]


NAMES = [f"ghost-{number:03d}" for number in range(100)]


async def test_the_cursor_stays_on_its_row_when_others_come_before_it() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.press("down", "down", "down")
        assert app.table.selected == "ghost-003"
        app.table.fill(rows(["new-1", "new-2", *NAMES]))
        await pilot.pause()

        assert app.table.selected == "ghost-003"
        assert app.table.cursor_row == 5


async def test_the_scroll_position_stays() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.press("pagedown", "pagedown", "up", "up")
        await pilot.pause()
        before = app.table.scroll_offset
        assert before.y > 0
        app.table.fill(rows([*NAMES[:-1], "other"]))
        await pilot.pause()

        assert app.table.scroll_offset == before


async def test_the_cursor_that_was_in_view_stays_in_view() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.press("down")
        app.table.fill(rows([*(f"new-{n}" for n in range(60)), *NAMES]))
        await pilot.pause()

        top = app.table.scroll_offset.y
        assert app.table.selected == "ghost-001"
        assert top <= app.table.cursor_row < top + app.table.size.height - 1


async def test_scrolling_away_from_the_cursor_is_respected() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.pause()
        app.table.scroll_to(y=40, animate=False, immediate=True)
        app.table.fill(rows(["new", *NAMES]))
        await pilot.pause()

        assert app.table.scroll_offset.y == 40
        assert app.table.selected == "ghost-000"


async def test_a_row_that_is_gone_leaves_the_cursor_on_its_line() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES[:4]))
        await pilot.press("down", "down", "down")
        app.table.fill(rows(NAMES[:2]))
        await pilot.pause()
        assert app.table.selected == "ghost-001"

        app.table.fill([])
        await pilot.pause()
        assert app.table.selected is None

        app.table.fill(rows(NAMES[:2]))
        await pilot.pause()
        assert app.table.selected == "ghost-000"


async def test_another_list_begins_at_its_top() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.press("pagedown", "pagedown")
        app.table.fill(rows(reversed(NAMES)), keep_place=False)
        await pilot.pause()

        assert app.table.selected == "ghost-099"
        assert app.table.scroll_offset.y == 0


@pytest.mark.parametrize(
    ("keys", "row", "top"),
    [
        (["pagedown"], 23, 23),
        (["pagedown", "pageup"], 0, 0),
        (["ctrl+end"], 99, 77),
        (["ctrl+end", "ctrl+home"], 0, 0),
        (["up"], 0, 0),
        (["ctrl+end", "down", "pagedown"], 99, 77),
        (["down"] * 25, 25, 3),
    ],
)
async def test_keys_move_the_cursor_and_what_is_seen(keys: list[str], row: int, top: int) -> None:
    app = Shown()
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.fill(rows(NAMES))
        await pilot.pause()
        await pilot.press(*keys)

        assert (app.table.cursor_row, app.table.scroll_offset.y) == (row, top)
        assert app.line(0).startswith(" name ")
        assert app.line(1).startswith(f" ghost-{top:03d} ")


async def test_columns_are_as_wide_as_their_widest_text() -> None:
    app = Shown()
    async with app.run_test(size=(40, 10)):
        app.table.fill(
            [
                TableRow("a", (cell("包包"), figure(7))),
                TableRow("b", (cell("x" * 8), figure(None))),
                TableRow("c", (cell("\x1b[2J"), figure(123456789))),
            ]
        )
        assert [app.line(y).rstrip() for y in range(5)] == [
            " name      length",
            " 包包              7",
            " xxxxxxxx          –",
            " \\x1b[2J   123456789",
            "",
        ]
        assert {app.table.render_line(y).cell_length for y in range(5)} == {40}


async def test_the_first_column_stays_when_the_others_scroll() -> None:
    app = Shown()
    async with app.run_test(size=(20, 10)) as pilot:
        app.table.fill(
            [TableRow("a", (Text("first"), Text("".join(chr(97 + n) for n in range(26)))))]
        )
        await pilot.pause()
        assert app.line(1) == " first  abcdefghijkl"
        await pilot.press("end")
        assert app.line(1) == " first opqrstuvwxyz "
        await pilot.press("home")
        assert app.line(1) == " first  abcdefghijkl"


async def test_enter_and_a_second_click_choose() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.focus()
        await pilot.press("enter")
        app.table.fill(rows(NAMES))
        await pilot.pause()
        assert app.events == ["at ghost-000"]

        await pilot.click(StoreTable, offset=(3, 5))
        await pilot.click(StoreTable, offset=(60, 5))
        await pilot.click(StoreTable, offset=(3, 0))  # the header
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.events[1:] == [
            "at ghost-004", "chosen ghost-004", "at ghost-005", "chosen ghost-005",
        ]  # fmt: skip


async def test_the_row_under_the_mouse_is_marked() -> None:
    app = Shown()
    async with app.run_test() as pilot:
        app.table.fill(rows(NAMES))
        await pilot.pause()
        plain = app.table.render_line(5)
        await pilot.hover(StoreTable, offset=(3, 5))
        assert app.table.render_line(5) != plain
        await pilot.hover(StoreTable, offset=(3, 0))
        assert app.table.render_line(5) == plain


async def test_a_cell_keeps_its_colour_but_under_the_cursor() -> None:
    app = Shown()
    async with app.run_test():
        red = [TableRow(key, (Text(key), Text("absent", "red"))) for key in "ab"]
        app.table.fill(red)
        marked, plain = (app.table.render_line(y)._segments[1].style for y in (1, 2))
        assert plain is not None
        assert marked is not None
        assert plain.color is not None
        assert plain.color.name == "red"
        assert marked.color != plain.color
