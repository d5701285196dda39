"""The rounds, and the gates and provenance of the one under the cursor."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from textual.widgets import Static

from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.reading import Query, Reader
from ghostbust.dashboard.rounds_pane import details
from ghostbust.dashboard.widgets import StoreTable
from ghostbust.home import Home
from ghostbust.store.rounds import RoundState

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler, Until


def table(app: Dashboard) -> StoreTable:
    return app.query_one("#rounds-table", StoreTable)


def row(app: Dashboard, number: int) -> list[str]:
    return [cell.plain for cell in table(app).lines[number].cells]


def shown_details(app: Dashboard) -> str:
    widget = app.query_one("#round-details", Static)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


def printed(home: Home) -> str:
    """The details of the newest round."""
    out = StringIO()
    view = Reader(home.database).read(Query()).rounds[0]
    Console(file=out, width=100, color_system=None).print(details(view))
    return out.getvalue()


async def test_the_details_follow_the_cursor(home: Home, filled: Filler, until: Until) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        assert row(app, 0)[:7] == ["2", "waiting", "au", "1", "0", "1", "PASS"]
        await pilot.press("4")
        await until(pilot, lambda: "round-0002" in shown_details(app))
        await pilot.press("down")
        await until(pilot, lambda: "round-0001" in shown_details(app))

        assert "FAIL" in shown_details(app)


async def test_the_details_stay_when_a_round_is_added(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await until(pilot, lambda: len(table(app).lines) == 2)
        await pilot.press("4", "down")
        filled.round(RoundState.WAITING)
        await until(pilot, lambda: len(table(app).lines) == 3)

        assert table(app).selected == "1"
        assert "round-0001" in shown_details(app)


async def test_the_details_follow_the_round_itself(
    home: Home, filled: Filler, until: Until
) -> None:
    app = Dashboard(home, refresh_s=0.05)
    async with app.run_test() as pilot:
        await pilot.press("4")
        await until(pilot, lambda: "for a person" in shown_details(app))
        with filled.store() as store:
            store.rounds.set_state(2, RoundState.FAILED, "its process was killed")

        await until(pilot, lambda: "its process was killed" in shown_details(app))


def test_gates_say_base_candidate_and_why_as_text(home: Home, filled: Filler) -> None:
    lines = printed(home).splitlines()

    (gate,) = [line for line in lines if line.startswith("hallucination")]
    assert gate.split()[:4] == ["hallucination", "PASS", "0.286", "0.019"]
    assert "[b]50%[/b]" in printed(home)


def test_provenance_says_what_made_the_round(home: Home, filled: Filler) -> None:
    text = printed(home)

    for fact in ("made-up-model", '{"lr": 0.0002, "rank": 16}', "round-0002-1a2b3c4d", "0.1"):
        assert fact in text


def test_a_round_without_gates_says_so(home: Home, filler: Filler) -> None:
    with filler.store() as store:
        store.rounds.start(model="\x1b[2Jmodel", method="[b]au[/b]", seed=1, settings={})
    text = printed(home)

    assert "its gates weren't run" in text
    assert "\\x1b[2Jmodel" in text
    assert "[b]au[/b]" in text
