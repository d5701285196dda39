"""The overview as text, at the widths of real terminals."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console, RenderableType

from ghostbust.dashboard.overview import CHART_ROWS, RateChart, overview
from ghostbust.dashboard.reading import Query, Reader
from ghostbust.home import Home
from ghostbust.store import RatePoint

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler


def printed(renderable: RenderableType, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(renderable)
    return out.getvalue()


@pytest.fixture
def points(home: Home, filled: Filler) -> tuple[RatePoint, ...]:
    return Reader(home.database).read(Query()).rates


def test_a_rate_never_stands_without_interval_and_volume(home: Home, filled: Filler) -> None:
    text = printed(overview(Reader(home.database).read(Query())))

    (line,) = [line for line in text.splitlines() if "0002" in line and "1.92" in line]
    assert line.split()[:7] == ["round-0002-1a2b3c4d", "gate", "1.9", "%", "0.0–4.9", "%", "1.92"]


@pytest.mark.parametrize("width", [76, 80, 200])
def test_no_figure_is_cut_at_any_width(home: Home, filled: Filler, width: int) -> None:
    text = printed(overview(Reader(home.database).read(Query())), width)

    assert "25.6–31.6 %" in text
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())


def test_it_says_what_serves_and_how_much_there_is(home: Home, filled: Filler) -> None:
    text = printed(overview(Reader(home.database).read(Query())))

    assert "none: the base serves" in text
    assert "67 invented names   0 new since round 2   0 claimed" in text


def test_an_empty_store_has_an_overview(home: Home, filler: Filler) -> None:
    with filler.store():
        pass
    text = printed(overview(Reader(home.database).read(Query())))

    assert "no finished run has a rate yet" in text
    assert "no run yet" in text
    assert "0 new since ever" in text


def test_the_chart_has_a_bar_for_each_run_as_high_as_its_rate(
    points: tuple[RatePoint, ...],
) -> None:
    full, half = replace(points[0], rate=0.4), replace(points[1], rate=0.2, adapter="round-1")
    nothing = replace(points[2], rate=math.nan)
    lines = printed(RateChart([full, half, nothing]), 3).splitlines()

    bars = lines[-CHART_ROWS - 1 : -1]
    assert [row[:1] for row in bars] == ["█"] * 4
    assert [row[1:2].strip() for row in bars] == ["", "", "█", "█"]
    assert lines[-1] == "ba-"


def test_the_chart_keeps_the_newest_runs_where_it_gets_narrow(
    points: tuple[RatePoint, ...],
) -> None:
    old, new = replace(points[0], rate=0.9), replace(points[0], adapter="round-1", rate=0.1)
    lines = printed(RateChart([old] * 5 + [new] * 10), 10).splitlines()

    assert lines[-1] == "a" * 10
    assert lines[-2] == "█" * 10


def test_rates_of_zero_are_drawn(points: tuple[RatePoint, ...]) -> None:
    assert printed(RateChart([replace(points[0], rate=0.0)])).splitlines()[-1].strip() == "b"


def test_model_names_are_text(home: Home, filler: Filler) -> None:
    filler.rate(0.1, "[red]x[/red]\x1b[2J")
    text = printed(overview(Reader(home.database).read(Query())))

    assert "[red]x[/red]\\x1b[2J" in text
    assert "\x1b" not in text
