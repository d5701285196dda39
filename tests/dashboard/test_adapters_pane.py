"""The adapters: approve, reject and roll back, each with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.decisions import ReasonDialog
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.publishers.directory import published
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until


def table(app: Dashboard) -> StoreTable:
    return app.query_one("#adapters-table", StoreTable)


def row(app: Dashboard, number: int) -> list[str]:
    return [cell.plain for cell in table(app).lines[number].cells]


def said(app: Dashboard) -> list[str]:
    return [notification.message for notification in app._notifications]


def asking(app: Dashboard) -> bool:
    return isinstance(app.screen, ReasonDialog)


async def test_approve_then_roll_back(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        await pilot.press("5", "a")
        await until(pilot, lambda: asking(app))
        await pilot.press(*"good", "enter")
        await until(pilot, lambda: len(table(app).lines) == 2 and "serves" in row(app, 0)[1])
        assert said(app) == ["round-0002-1a2b3c4d serves now, before it the base"]
        assert published(home.deployed) is not None

        await pilot.press("r")
        await until(pilot, lambda: asking(app))
        assert "to the base?" in str(app.screen.query(Static).first().render())
        await pilot.press(*"bad", "enter")
        await until(pilot, lambda: row(app, 0)[1] == "")
    assert published(home.deployed) is None
    with Store.open(home.database) as store:
        assert [move.reason for move in store.promotions.all()] == ["bad", "good"]


async def test_reject_ends_the_wait(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        await pilot.press("5", "x")
        await until(pilot, lambda: asking(app))
        await pilot.press(*"no", "enter")
        await until(pilot, lambda: row(app, 0)[2] == "2 rejected")

        assert said(app) == ["round-0002-1a2b3c4d is rejected"]


async def test_what_is_refused_says_why_in_one_line(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        await pilot.press("5", "down", "a")
        await until(pilot, lambda: asking(app))
        await pilot.press(*"please", "enter")
        await until(pilot, lambda: bool(said(app)))

        assert said(app) == ["round-0001-1a2b3c4d doesn't wait for approval: its round is rejected"]
    assert published(home.deployed) is None


async def test_escape_decides_nothing(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        await pilot.press("5", "a")
        await until(pilot, lambda: asking(app))
        await pilot.press(*"well", "escape")
        await until(pilot, lambda: not asking(app))
        await pilot.pause(0.2)

        assert said(app) == []
    with Store.open(home.database) as store:
        assert store.rounds.get(2).state is RoundState.WAITING


async def test_nothing_to_decide_on(home: Home, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("5", "a", "x", "r")
        await until(pilot, lambda: len(said(app)) == 3)

        assert said(app)[:2] == ["there is no adapter yet"] * 2
        assert "nothing to roll back" in said(app)[2]
    assert not home.database.exists()


async def test_the_details_say_where_it_lies_and_why(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        details = app.query_one("#adapter-details", Static)

        assert str(details.render()).splitlines() == [
            str(home.adapters / "round-0002-1a2b3c4d"),
            "round 2, waiting: for a person to decide",
        ]
        await pilot.press("5", "down")
        await until(pilot, lambda: "round 1, rejected" in str(details.render()))
