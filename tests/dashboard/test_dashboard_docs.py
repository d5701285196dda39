"""docs/reference/dashboard.md names every key, tab, order and limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.binding import Binding, BindingType
from textual.widgets import TabPane

from ghostbust.dashboard.adapters_pane import AdaptersPane
from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.names_pane import NamesPane
from ghostbust.dashboard.prompts_pane import PromptsPane
from ghostbust.dashboard.reading import ALARMS, NAMES, ROUNDS, RUNS
from ghostbust.dashboard.rounds_pane import RoundsPane
from ghostbust.dashboard.samples_pane import SamplesPane
from ghostbust.home import Home
from ghostbust.store.names import NameOrder

PAGE = (Path(__file__).parents[2] / "docs/reference/dashboard.md").read_text("utf-8")
BINDINGS = [
    binding
    for part in (Dashboard, NamesPane, SamplesPane, RoundsPane, AdaptersPane, PromptsPane)
    for binding in part.BINDINGS
]


@pytest.mark.parametrize("binding", BINDINGS)
def test_every_key_is_documented(binding: BindingType) -> None:
    key = binding.key if isinstance(binding, Binding) else binding[0]

    assert f"`{key}`" in PAGE


async def test_every_tab_has_its_section(home: Home) -> None:
    app = Dashboard(home)
    async with app.run_test():
        titles = [pane._title.plain for pane in app.query(TabPane)]

    sections = [line[3:] for line in PAGE.splitlines() if line.startswith("## ")]
    assert sections == [*titles, "In a browser"]


def test_orders_and_limits_are_documented() -> None:
    for order in NameOrder:
        assert order.replace("_", " ") in PAGE
    for limit in (
        f"{NAMES} at a time",
        f"last {ALARMS} alarms",
        f"newest {ROUNDS} rounds",
        f"last {RUNS} runs",
    ):
        assert limit in PAGE
