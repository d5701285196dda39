"""The pool: what a prompt paid for its samples, and where it stands in its lineage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.prompts_pane import SHOWN, details
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.store.prompts import PoolPrompt, Relative

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until

LINE = PoolPrompt(
    "p-middle", "text", Context.CODE, Ecosystem.PYPI, "f1", "", "p-top", "sibling",
    False, datetime(2026, 12, 1, tzinfo=UTC), 4, 3, 0, None, None,
)  # fmt: skip


def told(text: str, lineage: list[Relative]) -> list[str]:
    out = StringIO()
    Console(file=out, width=100, color_system=None).print(details(LINE, text, lineage))
    return [line.rstrip() for line in out.getvalue().splitlines()]


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
    lines = told("text", [relative(1, f"p-{n}") for n in range(SHOWN + 4)])

    assert lines[-1] == "and 5 more"
    assert sum(" samples" in line for line in lines) == SHOWN


def test_a_text_of_several_lines_keeps_them_and_nothing_is_obeyed() -> None:
    lines = told("one\n[red]two[/red]\x1b[2J", [])

    assert lines[1:3] == ["one", "[red]two[/red]\\x1b[2J"]


@pytest.mark.parametrize("asked", [0, 4])
async def test_a_rate_is_told_of_prompts_that_were_sampled(
    home: Home, filler: Filler, until: Until, asked: int
) -> None:
    prompt = Prompt("never asked", Context.NEEDS, Ecosystem.PYPI, "f")
    for seed in range(asked):
        filler.answers([f"ghost-{seed}"], seed=seed)
    with filler.store() as store:
        store.prompts.add([prompt])
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("6")
        table = app.query_one("#prompts-table", StoreTable)
        await until(pilot, lambda: len(table.lines) == asked + 1)
        rates = {line.key: line.cells[3].plain for line in table.lines}

    assert rates.pop(prompt.id) == "–"
    assert list(rates.values()) == ["100"] * asked
