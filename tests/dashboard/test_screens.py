"""The tabs with samples, prompts and jobs, the keys of all, and what colours don't tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Static

from ghostbust.dashboard.app import FOCUS, Dashboard, KeysDialog
from ghostbust.dashboard.reading import NAMES
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.records import Verdict
from ghostbust.store.runs import RunKind
from ghostbust.text import visible

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until


def text_of(app: Dashboard, selector: str) -> str:
    widget = app.query_one(selector, Static)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


def rows_of(app: Dashboard, selector: str) -> list[list[str]]:
    table = app.query_one(selector, StoreTable)
    return [[cell.plain for cell in line.cells] for line in table.lines]


async def test_an_answer_is_shown_and_revealed(home: Home, filler: Filler, until: Until) -> None:
    filler.judged(None, {"do it": {"zz-ghost": Verdict.ABSENT, "numpy": Verdict.REAL}})
    filler.judged(None, {"other": {"numpy": Verdict.REAL}})
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "pip install zz-…(8) numpy" in text_of(app, "#sample-text"))
        assert [row[4:6] for row in rows_of(app, "#samples-table")] == [["1", "1"]]
        assert "zz-ghost" not in text_of(app, "#sample-text")

        await pilot.press("v")
        await until(pilot, lambda: "pip install zz-ghost numpy" in text_of(app, "#sample-text"))
        await pilot.press("f")
        await until(pilot, lambda: len(rows_of(app, "#samples-table")) == 2)
        await pilot.press("m")
        await until(pilot, lambda: "mask" in text_of(app, "#sample-text"))


async def test_hostile_answers_and_prompts_are_text(
    home: Home, filler: Filler, hostile: tuple[str, ...], until: Until
) -> None:
    filler.judged(None, {name: {name: Verdict.ABSENT} for name in hostile[:-1]}, RunKind.WATCH)
    app = Dashboard(home, refresh_s=0.05, reveal=True)
    async with app.run_test(size=(200, 50)) as pilot:
        for key, table, details in (
            ("3", "#samples-table", "#sample-text"), ("6", "#prompts-table", "#prompt-details"),
        ):  # fmt: skip
            await pilot.press(key)
            seen = ""
            for number in range(len(hostile) - 1):
                await until(pilot, lambda t=table: len(rows_of(app, t)) == len(hostile) - 1)  # type: ignore[misc]
                before = app.shown
                assert before is not None
                await pilot.pause(0.1)
                seen += text_of(app, details)
                assert "\x1b" not in app.export_screenshot(), number
                await pilot.press("down")
            assert "\x1b" not in seen
            assert visible("\x1b]0;owned") in seen
            assert "[@click=app.quit]" not in seen or app.return_code is None


async def test_from_a_name_to_the_answers_that_named_it(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("2")
        await until(pilot, lambda: len(rows_of(app, "#names-table")) == 67)
        await pilot.press("enter")
        await until(pilot, lambda: len(rows_of(app, "#samples-table")) == 2)

        assert "named gho…(9)" in text_of(app, "#samples-title")
        await pilot.press("c")
        await until(pilot, lambda: len(rows_of(app, "#samples-table")) == 68)


async def test_pages_are_turned(home: Home, filler: Filler, until: Until) -> None:
    filler.answers([f"ghost-{n:03d}" for n in range(NAMES + 5)])
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        for key, table in (
            ("2", "#names-table"), ("3", "#samples-table"), ("6", "#prompts-table"),
        ):  # fmt: skip
            await pilot.press(key)
            await until(pilot, lambda t=table: len(rows_of(app, t)) == NAMES)  # type: ignore[misc]
            await pilot.press("n")
            await until(pilot, lambda t=table: len(rows_of(app, t)) == 5)  # type: ignore[misc]
            await pilot.press("n", "p")
            await until(pilot, lambda t=table: len(rows_of(app, t)) == NAMES)  # type: ignore[misc]


async def test_prompts_are_sorted_and_private_ones_hidden(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await until(pilot, lambda: len(rows_of(app, "#prompts-table")) == 67)
        assert "by paid" in text_of(app, "#prompts-title")
        assert not [row for row in rows_of(app, "#prompts-table") if "ghost-" in row[-1]]
        await pilot.press("s")
        await until(pilot, lambda: "by samples" in text_of(app, "#prompts-title"))
        assert "lineage" in text_of(app, "#prompt-details")


async def test_jobs_and_the_log_are_live(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("7")
        await until(pilot, lambda: "nobody works" in text_of(app, "#jobs-text"))
        with home.exclusive("round"), filled.store() as store:
            store.jobs.begin("watch")
            await until(pilot, lambda: "lock: process" in text_of(app, "#jobs-text"))
            await until(pilot, lambda: "works" in text_of(app, "#jobs-text"))
            store.jobs.finish("watch", "failed", "[red]no model[/red]")
        await until(pilot, lambda: "failed [red]no model[/red]" in text_of(app, "#jobs-text"))
        filled.rate(0.5, "round-9")
        await until(pilot, lambda: "of round-9: done" in rows_of(app, "#log-table")[0][2])


@pytest.mark.parametrize("tab", FOCUS)
async def test_help_lists_the_keys_of_the_tab_in_front(
    home: Home, filled: Filler, tab: str
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(str(1 + list(FOCUS).index(tab)), "question_mark")
        await pilot.pause()
        assert isinstance(app.screen, KeysDialog)
        region = app.screen.query_one("#keys").region
        assert region.bottom <= 24
        assert region.right <= 80
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, KeysDialog)


async def test_light_and_dark(home: Home, filled: Filler) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        assert app.current_theme.dark
        await pilot.press("t")
        assert not app.current_theme.dark
        await pilot.press("t")
        assert app.current_theme.dark


async def test_without_colours_verdicts_still_differ(
    home: Home, filler: Filler, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    filler.judged(None, {"do it": {"zz-ghost": Verdict.ABSENT, "numpy": Verdict.REAL}})
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("3")
        await until(pilot, lambda: "pip install zz-…(8)" in text_of(app, "#sample-text"))
        picture = app.export_screenshot()
        widget = app.query_one("#sample-text", Static)
        styles = {
            segment.text: segment.style
            for y in range(widget.size.height)
            for segment in widget.render_line(y)
        }

    assert styles["zz-…(8)"].reverse  # type: ignore[union-attr]
    assert styles["numpy"].underline  # type: ignore[union-attr]
    grey = {c.lower() for c in re.findall(r"fill: (#[0-9a-fA-F]{6})", picture)}
    assert grey
    assert all(c[1:3] == c[3:5] == c[5:7] for c in grey if c not in ("#c5c8c6",))
