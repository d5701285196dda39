"""A table that is filled again keeps its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot

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


@asynccontextmanager
async def shown(
    made: Sequence[TableRow] | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[Shown, Pilot[None]]]:
    """The app with these rows, or those of `NAMES`."""
    app = Shown()
    async with app.run_test(size=size) as pilot:
        app.table.fill(rows(NAMES) if made is None else made)
        await pilot.pause()
        yield app, pilot


NAMES = [f"ghost-{number:03d}" for number in range(100)]


@pytest.mark.parametrize(
    ("keys", "names", "selected", "row", "top"),
    [
        (["down"] * 3, ["new-1", "new-2", *NAMES], "ghost-003", 5, 0),
        (["pagedown", "pagedown", "up", "up"], [*NAMES[:-1], "other"], "ghost-044", 44, 44),
        (["down"], [*(f"new-{n}" for n in range(60)), *NAMES], "ghost-001", 61, 39),
        (["ctrl+end"], NAMES[:2], "ghost-001", 1, 0),
        (["down"], [], None, 0, 0),
    ],
    ids=["others before it", "same place", "still in view", "its row is gone", "all are gone"],
)
async def test_a_table_that_is_filled_again_keeps_its_place(
    keys: list[str], names: list[str], selected: str | None, row: int, top: int
) -> None:
    async with shown() as (app, pilot):
        await pilot.press(*keys)
        app.table.fill(rows(names))
        await pilot.pause()
        table = app.table
        assert (table.selected, table.cursor_row, table.scroll_offset.y) == (selected, row, top)


async def test_scrolling_away_from_the_cursor_is_respected_and_another_list_begins_at_its_top() -> (
    None
):
    async with shown() as (app, pilot):
        app.table.scroll_to(y=40, animate=False, immediate=True)
        app.table.fill(rows(["new", *NAMES]))
        await pilot.pause()
        assert app.table.scroll_offset.y == 40
        assert app.table.selected == "ghost-000"
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
    async with shown() as (app, pilot):
        await pilot.press(*keys)
        assert (app.table.cursor_row, app.table.scroll_offset.y) == (row, top)
        assert app.line(0).startswith(" name ")
        assert app.line(1).startswith(f" ghost-{top:03d} ")


async def test_columns_are_as_wide_as_their_widest_text() -> None:
    made = [
        TableRow("a", (cell("包包"), figure(7))),
        TableRow("b", (cell("x" * 8), figure(None))),
        TableRow("c", (cell("\x1b[2J"), figure(123456789))),
    ]
    async with shown(made, (40, 10)) as (app, _):
        assert [app.line(y).rstrip() for y in range(5)] == [
            " name      length",
            " 包包              7",
            " xxxxxxxx          –",
            " \\x1b[2J   123456789",
            "",
        ]
        assert {app.table.render_line(y).cell_length for y in range(5)} == {40}


WIDE = tuple(cell(char * 8) for char in "abcd")


class Ranked(Shown):
    def compose(self) -> ComposeResult:
        yield StoreTable("one", "two", "three", "four", ranked=("four", "two"), id="shown")


@pytest.mark.parametrize(
    ("width", "seen"),
    [(60, "abcd"), (42, "abcd"), (41, "acd"), (32, "acd"), (31, "ac"), (22, "ac")],
)
async def test_columns_are_left_out_whole_by_rank(width: int, seen: str) -> None:
    async with Ranked().run_test(size=(width, 10)) as pilot:
        app = pilot.app
        assert isinstance(app, Ranked)
        app.table.fill([TableRow("a", WIDE)])
        await pilot.pause()
        assert app.line(1).split() == [char * 8 for char in seen]
        assert len(app.line(0).split()) == len(seen)
        assert app.table.max_scroll_x == 0
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert len(app.line(1).split()) == 4


async def test_the_first_column_stays_when_the_others_scroll() -> None:
    row = TableRow("a", (Text("first"), Text("".join(chr(97 + n) for n in range(26)))))
    async with shown([row], (20, 10)) as (app, pilot):
        assert app.line(1) == " first  abcdefghijkl"
        await pilot.press("end")
        assert app.line(1) == " first opqrstuvwxyz "
        await pilot.press("home")
        assert app.line(1) == " first  abcdefghijkl"


async def test_enter_and_a_second_click_choose() -> None:
    async with shown([]) as (app, pilot):
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
    async with shown() as (app, pilot):
        plain = app.table.render_line(5)
        await pilot.hover(StoreTable, offset=(3, 5))
        assert app.table.render_line(5) != plain
        await pilot.hover(StoreTable, offset=(3, 0))
        assert app.table.render_line(5) == plain


async def test_a_cell_keeps_its_colour_but_under_the_cursor() -> None:
    red = [TableRow(key, (Text(key), Text("absent", "red"))) for key in "ab"]
    async with shown(red) as (app, _):
        marked, plain = (app.table.render_line(y)._segments[1].style for y in (1, 2))
        assert plain is not None
        assert marked is not None
        assert plain.color is not None
        assert plain.color.name == "red"
        assert marked.color != plain.color
