"""Stored answers: which are listed, and that pages end where answers do."""

from __future__ import annotations

import re

import pytest
from textual.widgets import Static

from ghostbust.dashboard.reading import NAMES
from ghostbust.home import Home
from ghostbust.records import Verdict
from ghostbust.store.runs import RunKind
from ghostbust.text import visible
from tests.dashboard.board import HOSTILE, Filler, open_board

A, R = Verdict.ABSENT, Verdict.REAL


async def test_rows_count_names_by_verdict_newest_first(home: Home, filler: Filler) -> None:
    filler.judged(None, {"old": {"zz-a": A, "numpy": R, "requests": R, "who": Verdict.UNKNOWN}})
    filler.judged("round-0001-1a2b3c4d", {"new": {"zz-a": A, "zz-b": A}})
    async with open_board(home) as board:
        await board.press("3")
        await board.until(lambda: len(board.rows("samples")) == 2)

        assert [row[2:] for row in board.rows("samples")] == [
            ["round-0001-1a2b3c4d", "code", "2", "0", "0", "30"],
            ["base", "code", "1", "2", "1", "30"],
        ]
        assert (
            board.line("#samples-title")
            == "answers 1–2 that invent a name, newest first; only stored texts"
        )


async def test_there_is_no_page_behind_the_last_nor_before_the_first(
    home: Home, filler: Filler
) -> None:
    filler.judged(None, {"one": {"zz-a": A}, "other": {"numpy": R}})
    async with open_board(home) as board:
        await board.press("3")
        await board.until(lambda: len(board.rows("samples")) == 1)
        await board.press("n", "p", "f")
        await board.until(lambda: len(board.rows("samples")) == 2)

        assert board.app._query.sample_page == 0
        assert board.line("#samples-title").startswith("answers 1–2 of all kinds")


async def test_a_home_without_answers_says_so(home: Home, filler: Filler) -> None:
    filler.rate(0.1, None)
    async with open_board(home) as board:
        await board.press("3")
        await board.until(lambda: "answers 0 " in board.line("#samples-title"))

        assert board.line("#sample-details") == "no answer is kept"
        await board.press("m", "enter", "down")
        assert board.rows("samples") == []


async def test_an_answer_is_shown_and_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"do it": {"zz-ghost": Verdict.ABSENT, "numpy": Verdict.REAL}})
    filler.judged(None, {"other": {"numpy": Verdict.REAL}})
    async with open_board(home, size=(100, 40)) as board:
        await board.press("3")
        await board.until(lambda: "pip install zz-…(8) numpy" in board.text("#sample-details"))
        assert [row[4:6] for row in board.rows("samples")] == [["1", "1"]]
        assert "zz-ghost" not in board.text("#sample-details")

        await board.press("v")
        await board.until(lambda: "pip install zz-ghost numpy" in board.text("#sample-details"))
        await board.press("f")
        await board.until(lambda: len(board.rows("samples")) == 2)
        await board.press("m")
        await board.until(lambda: "mask" in board.text("#sample-details"))


async def test_hostile_answers_and_prompts_are_text(home: Home, filler: Filler) -> None:
    filler.judged(None, {name: {name: Verdict.ABSENT} for name in HOSTILE[:-1]}, RunKind.WATCH)
    async with open_board(home, size=(200, 50), reveal=True) as board:
        for key, tab, details in (
            ("3", "samples", "#sample-details"), ("6", "prompts", "#prompt-details"),
        ):  # fmt: skip
            await board.press(key)
            seen = ""
            for number in range(len(HOSTILE) - 1):
                await board.until(lambda t=tab: len(board.rows(t)) == len(HOSTILE) - 1)  # type: ignore[misc]
                await board.pilot.pause(0.1)
                seen += board.text(details)
                assert "\x1b" not in board.app.export_screenshot(), number
                await board.press("down")
            assert "\x1b" not in seen
            assert visible("\x1b]0;owned") in seen
            assert "[@click=app.quit]" not in seen or board.app.return_code is None


async def test_pages_are_turned(home: Home, filler: Filler) -> None:
    filler.answers([f"ghost-{n:03d}" for n in range(NAMES + 5)])
    async with open_board(home) as board:
        for key, tab in (
            ("2", "names"), ("3", "samples"), ("6", "prompts"),
        ):  # fmt: skip
            await board.press(key)
            await board.until(lambda t=tab: len(board.rows(t)) == NAMES)  # type: ignore[misc]
            await board.press("n")
            await board.until(lambda t=tab: len(board.rows(t)) == 5)  # type: ignore[misc]
            await board.press("n", "p")
            await board.until(lambda t=tab: len(board.rows(t)) == NAMES)  # type: ignore[misc]


async def test_without_colours_verdicts_still_differ(
    home: Home, filler: Filler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    filler.judged(None, {"do it": {"zz-ghost": Verdict.ABSENT, "numpy": Verdict.REAL}})
    async with open_board(home, size=(100, 40)) as board:
        await board.press("3")
        await board.until(lambda: "pip install zz-…(8)" in board.text("#sample-details"))
        picture = board.app.export_screenshot()
        widget = board.app.query_one("#sample-details", Static)
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
