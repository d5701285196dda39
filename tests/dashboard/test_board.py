"""The dashboard as a whole: waits for a database, refreshes, fits the smallest terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Input, Static, TabbedContent

from ghostbust.dashboard.app import FOCUS, Dashboard
from ghostbust.dashboard.decisions import ReasonDialog
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until


def status(app: Dashboard) -> str:
    return str(app.query_one("#status", Static).render())


def overview_text(app: Dashboard) -> str:
    widget = app.query_one("#overview-text", Static)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


async def test_it_waits_for_a_database_and_finds_it(
    home: Home, filler: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "no database" in status(app) and "waiting" in status(app))
        assert not home.database.exists()
        filler.answers(["ghost"])

        await until(pilot, lambda: "1 invented names" in overview_text(app))
        assert "read" in status(app)


async def test_it_follows_a_writer_that_keeps_the_file_open(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        with Store.open(home.database):
            await until(pilot, lambda: "67 invented names" in overview_text(app))
            filled.answers(["one-more"], seed=8)
            await until(pilot, lambda: "68 invented names" in overview_text(app))


async def test_what_was_read_stays_when_the_database_goes(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "67 invented names" in overview_text(app))
        home.database.rename(home.path / "moved.db")
        await until(pilot, lambda: "no database" in status(app))

        assert "67 invented names" in overview_text(app)


async def test_a_file_that_is_no_database_is_said_in_one_line(home: Home, until: Until) -> None:
    home.database.write_text("[red]not a database[/red]" * 100, "utf-8")
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: "isn't a database" in status(app))


async def test_keys_go_to_the_tabs_and_what_is_in_them(home: Home, filled: Filler) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        for number, (tab, inside) in enumerate(FOCUS.items(), 1):
            await pilot.press(str(number))
            assert app.query_one(TabbedContent).active == tab
            assert app.focused is app.query_one(inside)
        await pilot.press("q")
        assert app.return_code == 0


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_every_tab_fits(
    home: Home, filled: Filler, until: Until, size: tuple[int, int]
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "67 invented names" in overview_text(app))
        for number, inside in enumerate(FOCUS.values(), 1):
            await pilot.press(str(number))
            widget = app.query_one(inside)
            await until(pilot, lambda widget=widget: widget.region.height > 0)  # type: ignore[misc]
            region = widget.region
            assert region.bottom <= size[1] - 1
            assert region.right <= size[0]
            assert region.height >= 3
            assert app.screen.max_scroll_y == 0


async def test_the_overview_keeps_its_place(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(80, 16)) as pilot:
        await until(pilot, lambda: "67 invented names" in overview_text(app))
        await pilot.press("end")
        scroll = app.query_one("#overview-scroll")
        await until(pilot, lambda: scroll.scroll_offset.y == scroll.max_scroll_y > 0)
        before = scroll.scroll_offset
        filled.answers(["one-more"], seed=8)
        await until(pilot, lambda: "68 invented names" in overview_text(app))

        assert scroll.scroll_offset == before


async def test_a_key_in_a_window_that_had_lost_the_focus_opens_a_dialog_that_hears_keys(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("2")
        names = app.query_one("#names-table", StoreTable)
        await until(pilot, lambda: len(names.lines) == 67)
        app.post_message(events.AppBlur())
        await until(pilot, lambda: app.focused is None)
        await pilot.press("2", "a")
        await until(pilot, lambda: isinstance(app.screen, ReasonDialog))
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press(*"why")

        assert app.screen.query_one(Input).value == "why"
