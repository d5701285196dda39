"""Names, answers and prompts: redacted unless asked for, text whatever they hold, in pages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from textual import events
from textual.widgets import Input, Static

from ghostbust.config import Config
from ghostbust.dashboard import decisions
from ghostbust.dashboard.answer_panes import LONGEST_TEXT, MOST_RELATIVES, prompt_details
from ghostbust.dashboard.reading import NAMES
from ghostbust.home import Home
from ghostbust.records import Context, Ecosystem, Prompt, Verdict
from ghostbust.sections import RegistrySection
from ghostbust.store.names import Decision
from ghostbust.store.prompts import PoolPrompt, Relative
from ghostbust.store.runs import RunKind
from ghostbust.text import visible
from tests.dashboard.board import HOSTILE, Board, Filler, open_board, printed

A, R = Verdict.ABSENT, Verdict.REAL


def row_of(board: Board, name: str) -> list[str]:
    """The texts of one name's row."""
    keys = [row.key for row in board.table("names").rows]
    return board.rows("names")[keys.index((Ecosystem.PYPI, name))]


def column(board: Board, number: int) -> list[str]:
    return [row[number] for row in board.rows("names")]


def title(board: Board) -> str:
    return board.line("#names-title")


async def test_names_are_redacted_until_revealed_and_hostile_ones_are_text(
    home: Home, filled: Filler
) -> None:
    async with open_board(home, size=(200, 100)) as board:
        await board.until(lambda: len(board.rows("names")) == 67)
        assert not any(name.startswith("ghost-") for name in column(board, 0))
        assert "redacted" in title(board)

        await board.press("2", "v")
        await board.until(lambda: "ghost-007" in column(board, 0))
        assert "revealed" in title(board)
        shown = column(board, 0)
        for name in HOSTILE:
            if len(name) <= LONGEST_TEXT:
                assert visible(name) in shown
        assert "包" * (LONGEST_TEXT - 1) + "…" in shown
        screen = board.app.export_screenshot()
        assert "\x1b" not in screen
        assert "\u202e" not in screen
        board.app.query_one("#names-search", Input).value = "[/]unb"
        await board.until(lambda: "with '[/]unb'" in title(board))
        assert len(board.rows("names")) == 1

        await board.press("v")
        await board.until(lambda: "redacted" in title(board))


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
        for seed in (3, 4, 5):  # seen a second and a third time, it comes first
            filled.answers(["later"], seed=seed)
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


async def test_the_details_follow_the_cursor_and_lead_to_the_answers_that_named_it(
    home: Home, filled: Filler
) -> None:
    async with open_board(home, size=(120, 40)) as board:
        await board.press("2")
        await board.until(lambda: "gho…(9)" in board.text("#name-details"))
        assert "contexts: code" in board.text("#name-details")
        assert board.text("#name-details").count("sample ") == 2
        await board.press("down")
        await board.until(lambda: board.text("#name-details").count("sample ") == 1)
        await board.press("up", "enter")
        await board.until(lambda: len(board.rows("samples")) == 2)

        assert "named gho…(9)" in board.text("#samples-title")
        await board.press("c")
        await board.until(lambda: len(board.rows("samples")) == 68)


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


async def test_a_home_without_answers_says_so(home: Home, filler: Filler) -> None:
    filler.rate(0.1, None)
    async with open_board(home) as board:
        await board.press("3")
        await board.until(lambda: "answers 0 " in board.line("#samples-title"))

        assert board.line("#sample-details") == "no answer is kept: ghostbust sweep"
        await board.press("m", "enter", "down")
        assert board.rows("samples") == []


async def test_an_answer_is_shown_and_revealed(home: Home, filler: Filler) -> None:
    filler.judged(None, {"do it": {"zz-ghost": A, "numpy": R}})
    filler.judged(None, {"other": {"numpy": R}})
    async with open_board(home, size=(100, 40)) as board:
        await board.press("3")
        await board.until(lambda: "pip install zz-…(8) numpy" in board.text("#sample-details"))
        assert [row[4:6] for row in board.rows("samples")] == [["1", "1"]]
        assert "zz-ghost" not in board.text("#sample-details")

        await board.press("v")
        await board.until(lambda: "pip install zz-ghost numpy" in board.text("#sample-details"))
        for key in "np":  # there is no page behind the last nor before the first
            await board.press(key)
            assert board.app._query.sample_page == 0
        await board.press("f")
        await board.until(lambda: len(board.rows("samples")) == 2)
        assert board.line("#samples-title").startswith("answers 1–2 of all kinds")
        await board.press("m")
        await board.until(lambda: "mask" in board.text("#sample-details"))


async def test_hostile_answers_and_prompts_are_text(home: Home, filler: Filler) -> None:
    filler.judged(None, {name: {name: A} for name in HOSTILE[:-1]}, RunKind.WATCH)
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
        for key, tab in (("2", "names"), ("3", "samples"), ("6", "prompts")):
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
    filler.judged(None, {"do it": {"zz-ghost": A, "numpy": R}})
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


LINE = PoolPrompt(
    "p-middle", "text", Context.CODE, Ecosystem.PYPI, "f1", "", "p-top", "sibling",
    False, datetime(2026, 12, 1, tzinfo=UTC), 4, 3, 0, None, None,
)  # fmt: skip


def told(text: str, lineage: list[Relative]) -> list[str]:
    return [line.rstrip() for line in printed(prompt_details(LINE, text, lineage)).splitlines()]


def relative(depth: int, name: str) -> Relative:
    operator = None if depth < 0 else "reworded"
    return Relative(depth, replace(LINE, prompt_id=name, operator=operator))


def test_the_lineage_stands_in_order_below_the_lines_of_the_prompt() -> None:
    text = "one\n[red]two[/red]\x1b[2J"
    assert told(text, [relative(-1, "p-top"), relative(1, "p-child")]) == [
        "p-middle  family f1, pypi, added 2026-12-01",
        "one",
        "[red]two[/red]\\x1b[2J",
        "lineage",
        "  p-top seed: 3 names in 4 samples",
        "*   p-middle sibling: 3 names in 4 samples",
        "      p-child reworded: 3 names in 4 samples",
    ]
    lines = told("text", [relative(1, f"p-{n}") for n in range(MOST_RELATIVES + 4)])
    assert lines[-1] == "and 5 more"
    assert sum(" samples" in line for line in lines) == MOST_RELATIVES


async def test_prompts_are_sorted_and_redacted_and_those_that_were_sampled_have_a_rate(
    home: Home, filler: Filler
) -> None:
    filler.answers([f"ghost-{number}" for number in range(4)])
    prompt = Prompt("never asked", Context.NEEDS, Ecosystem.PYPI, "f")
    with filler.store() as store:
        store.prompts.add([prompt])
    async with open_board(home, size=(120, 40)) as board:
        await board.press("6")
        await board.until(lambda: len(board.rows("prompts")) == 5)
        assert "by paid" in board.text("#prompts-title")
        assert not [row for row in board.rows("prompts") if "ghost-" in row[-1]]
        rates = {row.key: row.cells[3].plain for row in board.table("prompts").rows}
        assert rates.pop(prompt.id) == "–"
        assert list(rates.values()) == ["100"] * 4
        await board.press("s")
        await board.until(lambda: "by samples" in board.text("#prompts-title"))
        assert "lineage" in board.text("#prompt-details")
