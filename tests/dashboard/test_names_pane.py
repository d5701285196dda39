"""The names: redacted unless asked for, text whatever they hold, searched and sorted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Input, Static

from ghostbust.config import Config
from ghostbust.dashboard import decisions
from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.decisions import ReasonDialog
from ghostbust.dashboard.names_pane import LONGEST_NAME
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.records import Ecosystem
from ghostbust.sections import RegistrySection
from ghostbust.store.names import Decision
from ghostbust.text import visible

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until


def table(app: Dashboard) -> StoreTable:
    return app.query_one("#names-table", StoreTable)


def column(app: Dashboard, number: int) -> list[str]:
    return [line.cells[number].plain for line in table(app).lines]


def row_of(app: Dashboard, name: str) -> list[str]:
    (line,) = [line for line in table(app).lines if line.key == f"pypi:{name}"]
    return [cell.plain for cell in line.cells]


def title(app: Dashboard) -> str:
    return str(app.query_one("#names-title", Static).render())


async def test_names_are_redacted_until_revealed(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)
        assert not any(name.startswith("ghost-") for name in column(app, 0))
        assert "redacted" in title(app)

        await pilot.press("2", "v")
        await until(pilot, lambda: "ghost-007" in column(app, 0))
        assert "revealed" in title(app)

        await pilot.press("v")
        await until(pilot, lambda: "ghost-007" not in column(app, 0))


async def test_hostile_names_are_text(
    home: Home, filled: Filler, hostile: tuple[str, ...], until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(200, 100)) as pilot:
        await pilot.press("2", "v")
        await until(pilot, lambda: "ghost-007" in column(app, 0))
        shown = column(app, 0)

        for name in hostile:
            if len(name) <= LONGEST_NAME:
                assert visible(name) in shown
        assert "包" * (LONGEST_NAME - 1) + "…" in shown
        screen = app.export_screenshot()
        assert "\x1b" not in screen
        assert "\u202e" not in screen


async def test_the_search_narrows_while_typing(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)
        await pilot.press("2", "slash", *"GHOST-00")
        await until(pilot, lambda: len(table(app).lines) == 10)
        assert "1–10 of 10 names with 'GHOST-00'" in title(app)

        # Keys are text in the box, and work again behind Enter.
        await pilot.press("v")
        await until(pilot, lambda: len(table(app).lines) == 0)
        assert app.query_one("#names-search", Input).value == "GHOST-00v"
        await pilot.press("backspace", "enter")
        await until(pilot, lambda: len(table(app).lines) == 10)
        assert app.focused is table(app)


async def test_a_search_that_arrives_in_one_piece_is_whole(
    home: Home, filled: Filler, until: Until
) -> None:
    """Over a slow line, `/` and the text come together: none of it is a key of the table."""
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)
        for key in ("2", "slash", *"ghost-00"):
            app.post_message(events.Key(key, "/" if key == "slash" else key))
        await until(pilot, lambda: len(table(app).lines) == 10)

        assert app.query_one("#names-search", Input).value == "ghost-00"
        assert "by times seen" in title(app)


async def test_a_search_with_markup_is_text(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("2")
        app.query_one("#names-search", Input).value = "[/]unb"
        await until(pilot, lambda: "with '[/]unb'" in title(app))

        assert len(table(app).lines) == 1


async def test_sorting_goes_through_the_orders(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("2", "v")
        for order in ("prompts", "repeats", "first seen", "last seen", "name", "times seen"):
            await pilot.press("s")
            await until(pilot, lambda order=order: f"by {order};" in title(app))  # type: ignore[misc]
            if order == "name":
                assert column(app, 0)[-2] == "line\\nbreak\\ttab"
        assert column(app, 4)[0] == "2"


async def test_a_claimed_name_says_since_when(home: Home, filled: Filler, until: Until) -> None:
    with filled.store() as store:
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-007", filled.clock())
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)

        row = row_of(app, "ghost-007")
        assert row[2:4] == ["SUSPECT", "claimed"]
        assert row[8] == "2026-12-01"


async def test_the_cursor_stays_while_a_writer_writes(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)
        await pilot.press("2", "down", "down", "down", "down")
        selected = table(app).selected
        # Seen a second and a third time, it comes first.
        filled.answers(["later"], seed=3)
        filled.answers(["later"], seed=4)
        filled.answers(["later"], seed=5)
        await until(pilot, lambda: column(app, 4)[0] == "3")

        assert table(app).selected == selected
        assert table(app).cursor_row == 5


async def test_a_name_says_how_often_it_came_back(home: Home, filled: Filler, until: Until) -> None:
    filled.answers(["ghost-007"], seed=3)
    with filled.store() as store:
        store.tallies.refresh_repeats()
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 67)

        assert row_of(app, "ghost-007")[6] == "2 of 2"
        assert row_of(app, "ghost-008")[6] == "-"


@pytest.mark.parametrize(
    ("key", "decision"),
    [("a", Decision.ACCEPT), ("i", Decision.IGNORE), ("l", Decision.ALLOW), ("o", Decision.REOPEN)],
)
async def test_a_decision_on_a_name_is_kept_with_its_reason(
    home: Home, filled: Filler, until: Until, key: str, decision: Decision
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: len(table(app).lines) == 67)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, ReasonDialog))
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: bool(app._notifications))
        with filled.store() as store:
            (review,) = store.reviews.recent()
        assert (review.name, review.decision, review.reason) == ("ghost-007", decision, "why")
        shown = 66 if decision is Decision.IGNORE else 67
        await until(pilot, lambda: len(table(app).lines) == shown)
        if decision is Decision.IGNORE:
            await pilot.press("h")
            await until(pilot, lambda: len(table(app).lines) == 67)


async def test_a_look_at_the_registry_that_finds_the_name_is_an_alarm(
    home: Home, filled: Filler, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def look_up(place: Home, ecosystem: Ecosystem, name: str, *, config: Config) -> str:
        asked.append((place, ecosystem, name, config))
        with filled.store() as store:
            store.ledger.mark_claimed(ecosystem, name, filled.clock())
        return "REAL"

    monkeypatch.setattr(decisions, "look_up", look_up)
    config = Config(registry=RegistrySection(mode="live"))
    app = Dashboard(home, refresh_s=0.05, config=config)
    async with app.run_test() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: len(table(app).lines) == 67)
        await pilot.press("u")
        await until(pilot, lambda: "CLAIMED" in details(app))

    assert asked == [(home, Ecosystem.PYPI, "ghost-007", config)]


async def test_the_details_follow_the_cursor(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2")
        await until(pilot, lambda: "gho…(9)" in details(app))
        assert "contexts: code" in details(app)
        assert details(app).count("sample ") == 2
        await pilot.press("down")
        await until(pilot, lambda: details(app).count("sample ") == 1)


def details(app: Dashboard) -> str:
    widget = app.query_one("#name-details", Static)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))
