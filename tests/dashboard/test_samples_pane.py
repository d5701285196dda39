"""Stored answers: which are listed, and that pages end where answers do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Static

from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.records import Verdict

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until

A, R = Verdict.ABSENT, Verdict.REAL


def rows(app: Dashboard) -> list[list[str]]:
    lines = app.query_one("#samples-table", StoreTable).lines
    return [[cell.plain for cell in line.cells] for line in lines]


def title(app: Dashboard) -> str:
    return str(app.query_one("#samples-title", Static).render())


async def test_rows_count_names_by_verdict_newest_first(
    home: Home, filler: Filler, until: Until
) -> None:
    filler.judged(None, {"old": {"zz-a": A, "numpy": R, "requests": R, "who": Verdict.UNKNOWN}})
    filler.judged("round-0001-1a2b3c4d", {"new": {"zz-a": A, "zz-b": A}})
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("3")
        await until(pilot, lambda: len(rows(app)) == 2)

        assert [row[2:] for row in rows(app)] == [
            ["round-0001-1a2b3c4d", "code", "2", "0", "0", "30"],
            ["base", "code", "1", "2", "1", "30"],
        ]
        assert title(app) == "answers 1–2 that invent a name, newest first; only stored texts"


async def test_there_is_no_page_behind_the_last_nor_before_the_first(
    home: Home, filler: Filler, until: Until
) -> None:
    filler.judged(None, {"one": {"zz-a": A}, "other": {"numpy": R}})
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("3")
        await until(pilot, lambda: len(rows(app)) == 1)
        await pilot.press("n", "p", "f")
        await until(pilot, lambda: len(rows(app)) == 2)

        assert app._query.sample_page == 0
        assert title(app).startswith("answers 1–2 of all kinds")


async def test_a_home_without_answers_says_so(home: Home, filler: Filler, until: Until) -> None:
    filler.rate(0.1, None)
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "answers 0 " in title(app))

        assert str(app.query_one("#sample-text", Static).render()) == "no answer is kept"
        await pilot.press("m", "enter", "down")
        assert rows(app) == []
