"""The pool: what a prompt paid for its samples, and where it stands in its lineage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ghostbust.dashboard.prompts_pane import MOST_RELATIVES, prompt_details
from ghostbust.home import Home
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.store.prompts import PoolPrompt, Relative
from tests.dashboard.board import Filler, open_board, printed

LINE = PoolPrompt(
    "p-middle", "text", Context.CODE, Ecosystem.PYPI, "f1", "", "p-top", "sibling",
    False, datetime(2026, 12, 1, tzinfo=UTC), 4, 3, 0, None, None,
)  # fmt: skip


def told(text: str, lineage: list[Relative]) -> list[str]:
    return [line.rstrip() for line in printed(prompt_details(LINE, text, lineage)).splitlines()]


def relative(depth: int, name: str) -> Relative:
    operator = None if depth < 0 else "reworded"
    return Relative(depth, replace(LINE, prompt_id=name, operator=operator))


def test_the_lineage_stands_in_order_around_the_prompt() -> None:
    lines = told("What it asks", [relative(-1, "p-top"), relative(1, "p-child")])

    assert lines == [
        "p-middle  family f1, pypi, added 2026-12-01",
        "What it asks",
        "lineage",
        "  p-top seed: 3 names in 4 samples",
        "*   p-middle sibling: 3 names in 4 samples",
        "      p-child reworded: 3 names in 4 samples",
    ]


def test_of_a_long_lineage_the_rest_is_counted() -> None:
    lines = told("text", [relative(1, f"p-{n}") for n in range(MOST_RELATIVES + 4)])

    assert lines[-1] == "and 5 more"
    assert sum(" samples" in line for line in lines) == MOST_RELATIVES


def test_a_text_of_several_lines_keeps_them_and_nothing_is_obeyed() -> None:
    lines = told("one\n[red]two[/red]\x1b[2J", [])

    assert lines[1:3] == ["one", "[red]two[/red]\\x1b[2J"]


async def test_only_prompts_that_were_sampled_have_a_rate(home: Home, filler: Filler) -> None:
    prompt = Prompt("never asked", Context.NEEDS, Ecosystem.PYPI, "f")
    for seed in range(4):
        filler.answers([f"ghost-{seed}"], seed=seed)
    with filler.store() as store:
        store.prompts.add([prompt])
    async with open_board(home) as board:
        await board.press("6")
        await board.until(lambda: len(board.rows("prompts")) == 5)
        rates = {row.key: row.cells[3].plain for row in board.table("prompts").rows}

    assert rates.pop(prompt.id) == "–"
    assert list(rates.values()) == ["100"] * 4


async def test_prompts_are_sorted_and_redacted(home: Home, filled: Filler) -> None:
    async with open_board(home, size=(120, 40)) as board:
        await board.press("6")
        await board.until(lambda: len(board.rows("prompts")) == 67)
        assert "by paid" in board.text("#prompts-title")
        assert not [row for row in board.rows("prompts") if "ghost-" in row[-1]]
        await board.press("s")
        await board.until(lambda: "by samples" in board.text("#prompts-title"))
        assert "lineage" in board.text("#prompt-details")
