"""The names: redacted unless asked for, text whatever they hold, searched and sorted."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from ghostbust.config import Config
from ghostbust.dashboard import decisions
from ghostbust.dashboard.names_pane import LONGEST_NAME
from ghostbust.home import Home
from ghostbust.records import Ecosystem
from ghostbust.sections import RegistrySection
from ghostbust.store.names import Decision
from ghostbust.text import visible
from tests.dashboard.board import HOSTILE, Board, Filler, open_board


def row_of(board: Board, name: str) -> list[str]:
    """The texts of one name's row."""
    return board.rows("names")[keys(board).index((Ecosystem.PYPI, name))]


def keys(board: Board) -> list[object]:
    return [row.key for row in board.table("names").rows]


def column(board: Board, number: int) -> list[str]:
    return [row[number] for row in board.rows("names")]


def title(board: Board) -> str:
    return board.line("#names-title")


async def test_names_are_redacted_until_revealed(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("names")) == 67)
        assert not any(name.startswith("ghost-") for name in column(board, 0))
        assert "redacted" in title(board)

        await board.press("2", "v")
        await board.until(lambda: "ghost-007" in column(board, 0))
        assert "revealed" in title(board)

        await board.press("v")
        await board.until(lambda: "ghost-007" not in column(board, 0))


async def test_hostile_names_are_text(home: Home, filled: Filler) -> None:
    async with open_board(home, size=(200, 100)) as board:
        await board.press("2", "v")
        await board.until(lambda: "ghost-007" in column(board, 0))
        shown = column(board, 0)

        for name in HOSTILE:
            if len(name) <= LONGEST_NAME:
                assert visible(name) in shown
        assert "包" * (LONGEST_NAME - 1) + "…" in shown
        screen = board.app.export_screenshot()
        assert "\x1b" not in screen
        assert "\u202e" not in screen
        board.app.query_one("#names-search", Input).value = "[/]unb"
        await board.until(lambda: "with '[/]unb'" in title(board))
        assert len(board.rows("names")) == 1


async def test_the_search_narrows_while_typing(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("names")) == 67)
        await board.press("2", "slash", *"GHOST-00")
        await board.until(lambda: len(board.rows("names")) == 10)
        assert "1–10 of 10 names with 'GHOST-00'" in title(board)

        # Keys are text in the box, and work again behind Enter.
        await board.press("v")
        await board.until(lambda: len(board.rows("names")) == 0)
        assert board.app.query_one("#names-search", Input).value == "GHOST-00v"
        await board.press("backspace", "enter")
        await board.until(lambda: len(board.rows("names")) == 10)
        assert board.app.focused is board.table("names")


async def test_a_search_that_arrives_in_one_piece_is_whole(home: Home, filled: Filler) -> None:
    """Over a slow line, `/` and the text come together: none of it is a key of the table."""
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("names")) == 67)
        for key in ("2", "slash", *"ghost-00"):
            board.app.post_message(events.Key(key, "/" if key == "slash" else key))
        await board.until(lambda: len(board.rows("names")) == 10)

        assert board.app.query_one("#names-search", Input).value == "ghost-00"
        assert "by times seen" in title(board)


async def test_sorting_goes_through_the_orders(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.press("2", "v")
        for order in ("prompts", "repeats", "first seen", "last seen", "name", "times seen"):
            await board.press("s")
            await board.until(lambda order=order: f"by {order};" in title(board))  # type: ignore[misc]
            if order == "name":
                assert column(board, 0)[-2] == "line\\nbreak\\ttab"
        assert column(board, 4)[0] == "2"


async def test_a_name_says_how_often_it_came_back_and_since_when_it_is_claimed(
    home: Home, filled: Filler
) -> None:
    filled.answers(["ghost-007"], seed=3)
    with filled.store() as store:
        store.tallies.refresh_repeats()
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-007", filled.clock())
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("names")) == 67)

        row = row_of(board, "ghost-007")
        assert row[2:4] == ["SUSPECT", "claimed"]
        assert (row[6], row[8]) == ("2 of 2", "2026-12-01")
        assert row_of(board, "ghost-008")[6] == "-"


async def test_the_cursor_stays_while_a_writer_writes(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.until(lambda: len(board.rows("names")) == 67)
        await board.press("2", "down", "down", "down", "down")
        selected = board.table("names").selected
        # Seen a second and a third time, it comes first.
        filled.answers(["later"], seed=3)
        filled.answers(["later"], seed=4)
        filled.answers(["later"], seed=5)
        await board.until(lambda: column(board, 4)[0] == "3")

        assert board.table("names").selected == selected
        assert board.table("names").cursor_row == 5


async def test_decisions_on_a_name_are_kept_with_their_reasons(home: Home, filler: Filler) -> None:
    filler.answers(["ghost", "other"])
    async with open_board(home) as board:
        await board.press("2")
        await board.until(lambda: len(board.rows("names")) == 2)
        for number, key in enumerate("aloi", 1):
            await board.press(key)
            await board.answer(*f"why {key}", "enter")
            await board.until(lambda number=number: len(board.said) == number)  # type: ignore[misc]
        with filler.store() as store:
            reviews = reversed(store.reviews.recent())
            assert [(one.name, one.decision, one.reason) for one in reviews] == [
                ("ghost", Decision.ACCEPT, "why a"),
                ("ghost", Decision.ALLOW, "why l"),
                ("ghost", Decision.REOPEN, "why o"),
                ("ghost", Decision.IGNORE, "why i"),
            ]
        await board.until(lambda: len(board.rows("names")) == 1)
        await board.press("h")
        await board.until(lambda: len(board.rows("names")) == 2)


async def test_a_look_at_the_registry_that_finds_the_name_is_an_alarm(
    home: Home, filled: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look_up(place: Home, ecosystem: Ecosystem, name: str, *, config: Config) -> str:
        asked.append((place, ecosystem, name, config))
        with filled.store() as store:
            store.ledger.mark_claimed(ecosystem, name, filled.clock())
        return "REAL"

    monkeypatch.setattr(decisions, "look_up", look_up)
    config = Config(registry=RegistrySection(mode="live"))
    async with open_board(home, config=config) as board:
        await board.press("2")
        await board.until(lambda: len(board.rows("names")) == 67)
        await board.press("u")
        await board.until(lambda: "CLAIMED" in board.text("#name-details"))

    assert asked == [(home, Ecosystem.PYPI, "ghost-007", config)]


async def test_the_details_follow_the_cursor(home: Home, filled: Filler) -> None:
    async with open_board(home, size=(120, 40)) as board:
        await board.press("2")
        await board.until(lambda: "gho…(9)" in board.text("#name-details"))
        assert "contexts: code" in board.text("#name-details")
        assert board.text("#name-details").count("sample ") == 2
        await board.press("down")
        await board.until(lambda: board.text("#name-details").count("sample ") == 1)


async def test_from_a_name_to_the_answers_that_named_it(home: Home, filled: Filler) -> None:
    async with open_board(home) as board:
        await board.press("2")
        await board.until(lambda: len(board.rows("names")) == 67)
        await board.press("enter")
        await board.until(lambda: len(board.rows("samples")) == 2)

        assert "named gho…(9)" in board.text("#samples-title")
        await board.press("c")
        await board.until(lambda: len(board.rows("samples")) == 68)
