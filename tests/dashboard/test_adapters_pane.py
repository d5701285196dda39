"""The adapters: approve, reject and roll back, each with a reason."""

from __future__ import annotations

from textual.widgets import Static

from ghostbust.dashboard.pane import ReasonDialog
from ghostbust.home import Home
from ghostbust.publishers.directory import published
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from tests.dashboard.board import Filler, open_board


async def test_approve_then_roll_back(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "a")
        await board.answer(*"good", "enter")
        await board.until(lambda: "serves" in board.rows("adapters")[0][1])
        assert board.said == ["round-0001-1a2b3c4d serves now, before it the base"]
        assert published(home.deployed) is not None

        await board.press("r")
        await board.answer(*"bad")
        assert "to the base?" in str(board.app.screen.query(Static).first().render())
        await board.press("enter")
        await board.until(lambda: board.rows("adapters")[0][1] == "")
    assert published(home.deployed) is None
    with Store.open(home.database) as store:
        assert [move.reason for move in store.promotions.all()] == ["bad", "good"]


async def test_reject_ends_the_wait_and_is_refused_afterwards(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "x")
        await board.answer(*"no", "enter")
        await board.until(lambda: board.rows("adapters")[0][2] == "1 rejected")
        await board.press("a")
        await board.answer(*"please", "enter")
        await board.until(lambda: len(board.said) == 2)

        assert board.said == [
            "round-0001-1a2b3c4d is rejected",
            "round-0001-1a2b3c4d doesn't wait for approval: its round is rejected",
        ]
    assert published(home.deployed) is None


async def test_escape_decides_nothing(home: Home, filler: Filler) -> None:
    filler.round(RoundState.WAITING)
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 1)
        await board.press("5", "a")
        await board.answer(*"well", "escape")
        await board.until(lambda: not isinstance(board.app.screen, ReasonDialog))
        await board.pilot.pause(0.1)

        assert board.said == []
    with Store.open(home.database) as store:
        assert store.rounds.get(1).state is RoundState.WAITING


async def test_nothing_to_decide_on(home: Home) -> None:
    async with open_board(home) as board:
        await board.press("5", "a", "x", "r")
        await board.until(lambda: len(board.said) == 3)

        assert board.said[:2] == ["there is no adapter yet"] * 2
        assert "nothing to roll back" in board.said[2]
    assert not home.database.exists()


async def test_the_details_say_where_it_lies_and_why(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("adapters")) == 2)
        assert board.line("#adapter-details").splitlines() == [
            str(home.adapters / "round-0002-1a2b3c4d"),
            "round 2, waiting: for a person to decide",
        ]
        await board.press("5", "down")
        await board.until(lambda: "round 1, rejected" in board.line("#adapter-details"))
