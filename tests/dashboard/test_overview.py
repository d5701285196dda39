"""The overview as text, at the widths of real terminals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from ghostbust.config import Config
from ghostbust.dashboard.overview import overview, rate_plot
from ghostbust.dashboard.reading import Query, StoreReader
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Measurement, utc_now
from ghostbust.sections import BudgetSection, DaemonSection
from ghostbust.store.runs import RatePoint, RunKind, RunSpec, RunStatus
from tests.dashboard.board import Filler, printed


def overview_of(home: Home, width: int = 80, settings: Config | None = None) -> str:
    """The overview as ``--plain`` prints it."""
    return printed(overview(StoreReader(home).read(Query()), settings or Config()), width)


@pytest.fixture
def points(home: Home, filled: Filler) -> tuple[RatePoint, ...]:
    return StoreReader(home).read(Query()).rates


def test_a_rate_never_stands_without_interval_and_volume(home: Home, filled: Filler) -> None:
    text = overview_of(home)
    assert "none: the base serves" in text
    assert "67 invented names   0 new since round 2   0 claimed" in text
    (line,) = [line for line in text.splitlines() if "0002" in line and "1.92" in line]
    assert line.split()[:7] == ["round-0002-1a2b3c4d", "gate", "1.9", "%", "0.0–4.9", "%", "1.92"]


@pytest.mark.parametrize("width", [76, 80, 200])
def test_no_figure_is_cut_at_any_width(home: Home, filled: Filler, width: int) -> None:
    text = overview_of(home, width)

    assert "25.6–31.6 %" in text
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())


def test_an_empty_store_has_an_overview(home: Home, filler: Filler) -> None:
    with filler.store():
        pass
    text = overview_of(home)

    assert "no finished run has a rate yet" in text
    assert "no run yet" in text
    assert "0 new since ever" in text


def test_each_run_is_a_letter_with_its_interval(points: tuple[RatePoint, ...]) -> None:
    base = replace(points[0], rate=0.4, ci95=(0.2, 0.6))
    adapter = replace(points[1], rate=0.1, ci95=(0.05, 0.15), adapter="round-1")
    lines = printed(rate_plot([base, adapter]), 76).splitlines()

    assert lines[0].endswith("b base, A round-1")
    assert lines[1].split("┤")[0].strip() == "60.0 %", "up to the highest interval"
    column = [line.partition("┤")[2][:1] for line in lines[1:8]]
    assert "".join(column).strip() == "││b││"
    assert "A" in "".join(line.rstrip()[-1] for line in lines[1:8])


def test_runs_of_an_older_measure_are_marked_and_no_part_of_the_curve(
    home: Home, filled: Filler
) -> None:
    before = overview_of(home)
    with filled.store() as store:
        run_id = store.runs.start(RunSpec(RunKind.WATCH, "made-up-model", None, 1))
        older = Measurement(0.431, (0.4, 0.46), 1000, 569, 431, 0, 4, 300, 1.92)
        store.runs.finish(run_id, RunStatus.DONE, older)
    after = overview_of(home, 120)
    assert after.count("43.1 %*") == 2
    assert after.splitlines()[-1] == (
        "* by an older measure, in which installers count as packages"
    )
    assert "b base (older measure), a base" in after.replace("A round-0002-1a2b3c4d, ", "")
    assert "older" not in before


def test_rates_of_zero_are_drawn_and_runs_that_named_nothing_are_not(
    points: tuple[RatePoint, ...],
) -> None:
    nothing = replace(points[2], rate=math.nan)
    assert "no finished run has a rate" in printed(rate_plot([nothing]))
    assert " 1 runs" in printed(rate_plot([points[0], nothing]))
    zero = replace(points[0], rate=0.0, ci95=(0.0, 0.0))
    assert "b" in printed(rate_plot([zero])).splitlines()[7]


def test_it_tells_what_waits_the_budget_and_the_alarms(home: Home, filled: Filler) -> None:
    with filled.store() as store:
        store.ledger.mark_claimed(Ecosystem.PYPI, "ghost-007", filled.clock())
        store.jobs.schedule("watch", filled.clock())
        store.jobs.begin("guard")
        store.jobs.finish("guard", "ok", "invented names held back: 9, in answers: 812")
        store.spending.take(utc_now().date(), {"samples": 128.0, "tokens": 900.0}, {})
    settings = Config(daemon=DaemonSection(watch_answers=64), budget=BudgetSection(samples=1000))
    text = overview_of(home, settings=settings)

    assert "waiting for approval  round-0002-1a2b3c4d" in text
    assert "of 64 answers" in text
    assert "jobs  guard waits, watch waits" in text
    assert "guard  invented names held back: 9, in answers: 812" in text
    assert "spent today  samples 128 of 1,000, tokens 900" in text
    assert "gho…(9) (pypi) is registered now" in text
    assert "ghost-007" not in text
    revealed = StoreReader(home).read(Query(reveal=True))
    assert "ghost-007 (pypi)" in printed(overview(revealed, Config()))


def test_model_names_are_text(home: Home, filler: Filler) -> None:
    filler.rate(0.1, "[red]x[/red]\x1b[2J")
    text = overview_of(home)

    assert "[red]x[/red]\\x1b[2J" in text
    assert "\x1b" not in text
