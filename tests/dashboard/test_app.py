"""The dashboard as a whole: it waits for a database, refreshes, fits the terminal, lists keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static, TabbedContent, TabPane

from ghostbust.dashboard.app import FOCUS, MOVES, PANES, Dashboard, KeysDialog, keys_table
from ghostbust.dashboard.pane import ReasonDialog
from ghostbust.dashboard.reading import ALARMS, NAMES, ROUNDS, RUNS
from ghostbust.home import Home
from ghostbust.store.names import NameOrder
from ghostbust.store.store import Store
from tests.dashboard.board import Board, Filler, open_board

PAGE = (Path(__file__).parents[2] / "docs/reference/dashboard.md").read_text("utf-8")


async def test_it_waits_for_a_database_and_keeps_what_it_read_when_that_goes(
    home: Home, filler: Filler
) -> None:
    async with open_board(home) as board:
        await board.until(lambda: "waiting" in board.line("#status"))
        assert "no database" in board.line("#status")
        assert not home.database.exists()
        filler.answers(["ghost"])
        await board.until(lambda: "1 invented names" in board.text("#overview-text"))
        assert "read" in board.line("#status")

        home.database.rename(home.path / "moved.db")
        await board.until(lambda: "no database" in board.line("#status"))
        assert "1 invented names" in board.text("#overview-text")


async def test_it_sees_a_writer_that_keeps_the_file_open(home: Home, filler: Filler) -> None:
    filler.answers(["ghost"])
    async with open_board(home) as board:
        with Store.open(home.database):
            await board.until(lambda: "1 invented names" in board.text("#overview-text"))
            filler.answers(["one-more"], seed=8)
            await board.until(lambda: "2 invented names" in board.text("#overview-text"))


async def test_a_file_that_is_no_database_is_said_in_one_line(home: Home) -> None:
    home.database.write_text("[red]not a database[/red]" * 100, "utf-8")
    async with open_board(home) as board:
        await board.until(lambda: "isn't a database" in board.line("#status"))


async def test_no_column_is_cut_at_80(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        for key, tab in enumerate(list(PANES)[:-1], 2):  # the log's texts are as long as they are
            await board.press(str(key))
            await board.until(partial(board.rows, tab))
            await board.pilot.pause()
            assert board.table(tab).max_scroll_x == 0, tab
            assert len(board.table(tab).render_line(0).text.split()) > 2, tab


async def test_the_plot_is_as_tall_as_the_window_lets_it_be(home: Home, filled: Filler) -> None:
    async with open_board(home, size=(80, 60)) as board:
        text = board.app.query_one("#overview-text", Static)
        await board.until(lambda: board.app.shown)
        await board.pilot.pause()
        tall = text.size.height
        await board.pilot.resize_terminal(80, 40)
        await board.until(lambda: text.size.height == tall - 20)


async def test_each_empty_tab_names_a_command(home: Home, filler: Filler) -> None:
    with filler.store():
        pass
    async with open_board(home) as board:
        for key, tab in enumerate(FOCUS, 1):
            await board.press(str(key))
            await board.until(partial(_says_a_command, board, tab))


def _says_a_command(board: Board, tab: str) -> bool:
    texts = board.app.query_one(f"#{tab}", TabPane).query(Static)
    lines = [one.render_line(y).text for one in texts for y in range(one.size.height)]
    return any("ghostbust " in line for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_keys_go_to_the_tabs_each_fits_and_lists_its_keys(
    home: Home, filled: Filler, size: tuple[int, int]
) -> None:
    async with open_board(home, size=size) as board:
        app = board.app
        await board.until(lambda: "67 invented names" in board.text("#overview-text"))
        for number, (tab, inside) in enumerate(FOCUS.items(), 1):
            await board.press(str(number))
            assert app.query_one(TabbedContent).active == tab
            widget = app.query_one(inside)
            assert app.focused is widget
            await board.until(lambda widget=widget: widget.region.height > 0)  # type: ignore[misc]
            region = widget.region
            assert region.bottom <= size[1] - 1
            assert region.right <= size[0]
            assert region.height >= 3
            assert app.screen.max_scroll_y == 0

            await board.press("question_mark")
            await board.until(lambda: isinstance(app.screen, KeysDialog))
            keys = app.screen.query_one("#keys").region
            assert keys.bottom <= size[1]
            assert keys.right <= size[0]
            await board.press("escape")
            await board.until(lambda: not isinstance(app.screen, KeysDialog))
        await board.press("q")
        assert app.return_code == 0


async def test_the_overview_keeps_its_place(home: Home, filled: Filler) -> None:
    async with open_board(home, size=(80, 16)) as board:
        await board.until(lambda: "67 invented names" in board.text("#overview-text"))
        scroll = board.app.query_one("#overview-scroll")
        await board.until(lambda: scroll.max_scroll_y > 0)  # laid out, so "end" is somewhere
        await board.press("end")
        await board.until(lambda: scroll.scroll_offset.y == scroll.max_scroll_y)
        before = scroll.scroll_offset
        filled.answers(["one-more"], seed=8)
        await board.until(lambda: "68 invented names" in board.text("#overview-text"))

        assert scroll.scroll_offset == before


async def test_light_and_dark(home: Home) -> None:
    async with open_board(home) as board:
        for dark in (True, False, True):
            assert board.app.current_theme.dark is dark
            await board.press("t")


async def test_a_key_in_a_window_that_had_lost_the_focus_opens_a_dialog_that_takes_keys(
    home: Home, filled: Filler
) -> None:
    async with open_board(home) as board:
        await board.press("2")
        await board.until(lambda: len(board.rows("names")) == 67)
        board.app.post_message(events.AppBlur())
        await board.until(lambda: board.app.focused is None)
        await board.press("2", "a")
        await board.until(lambda: isinstance(board.app.screen, ReasonDialog))
        await board.until(lambda: isinstance(board.app.focused, Input))
        await board.press(*"why")

        assert board.app.screen.query_one(Input).value == "why"


def test_every_key_with_words_is_listed_below_its_section() -> None:
    shown, hidden = Binding("question_mark", "keys", "Keys"), Binding("x", "x")
    sections: list[tuple[str, list[BindingType]]] = [
        ("", [hidden, shown]), ("names", PANES["names"].BINDINGS), ("jobs", []),
    ]  # fmt: skip
    keys = [str(cell) for cell in keys_table(sections).columns[0].cells]

    assert keys[: len(MOVES) + 3] == ["everywhere", *(key for key, _ in MOVES), "?", "names"]
    assert {"a", "i", "l", "o", "u", "enter"} <= set(keys)
    assert not {"x", "jobs"} & set(keys)


async def test_the_page_names_every_key_tab_order_and_limit(home: Home) -> None:
    bindings = [*Dashboard.BINDINGS, *(b for pane in PANES.values() for b in pane.BINDINGS)]
    for binding in bindings:
        assert f"`{binding.key if isinstance(binding, Binding) else binding[0]}`" in PAGE
    async with open_board(home) as board:
        titles = [pane._title.plain for pane in board.app.query(TabPane)]
    sections = [line[3:] for line in PAGE.splitlines() if line.startswith("## ")]
    assert sections == [*titles, "In a browser"]
    orders = [order.replace("_", " ") for order in NameOrder]
    limits = [f"{NAMES} at a time", f"last {ALARMS} alarms", f"newest {ROUNDS} rounds",
              f"last {RUNS} runs"]  # fmt: skip
    assert [words for words in orders + limits if words not in PAGE] == []
