"""A round's report: base and candidate on the same prompts, gates, losses, names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import Estimate, Table
from ghostbust.home import Home
from ghostbust.reports.figures import Part, Report
from ghostbust.reports.round import NO_MEASUREMENT, round_report
from ghostbust.store.store import Store

MakeReport = Callable[..., Report]
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def part(report: Report, name: str) -> Part:
    return next(one for one in report.parts if one.name == name)


def table(report: Report, name: str, title: str) -> Table:
    return next(one for one in part(report, name).tables if one.title == title)


def test_base_and_candidate_are_found_by_what_they_asked(
    make_report: MakeReport, store: Store, adapter: str
) -> None:
    rows = table(make_report("round"), "rates", "by context").rows
    whole = {row["model"]: row for row in rows if row["context"] == "all"}
    assert list(whole) == ["base", adapter]
    for number, name in enumerate(whole, 1):
        stored = store.runs.get(number).measurement
        assert stored is not None
        assert whole[name]["rate"] == Estimate(stored.rate, *stored.ci95)
        assert whole[name]["answers"] == stored.answers == 48
    (pair, *_) = table(make_report("round"), "rates", "compared").rows
    assert pair["compared"] == f"base -> {adapter}"
    drop = pair["drop of the rate"]
    assert isinstance(drop, Estimate)
    assert 0 < drop.low < drop.value < drop.high < 1


def test_gates_stand_beside_the_base_with_why(make_report: MakeReport) -> None:
    rows = table(make_report("round"), "gates", "gates").rows
    assert [(row["gate"], row["verdict"]) for row in rows] == [
        ("volume", "PASS"), ("coding", "INCONCLUSIVE"),
    ]  # fmt: skip
    assert (rows[0]["base"], rows[0]["candidate"], rows[0]["interval to"]) == (1.0, 1.02, 1.1)
    assert rows[1]["base"] is None


def test_the_losses_are_the_manifests(make_report: MakeReport) -> None:
    training = part(make_report("round"), "training")
    (chart,) = training.charts
    assert len(chart.lines[0].points) == 25
    first = training.tables[0].rows[0]
    assert first == {"steps": "1 to 2", "mean loss": pytest.approx(2 - 1 / 60)}
    assert training.tables[0].rows[-1]["steps"].endswith("to 25")  # type: ignore[attr-defined]


def test_a_folder_that_is_gone_is_said_to_be(
    make_report: MakeReport, home: Home, adapter: str
) -> None:
    shutil.rmtree(home.adapters / adapter)
    training = part(make_report("round"), "training")
    assert training.charts == ()
    assert "gone" in training.text[0]


def test_a_round_without_candidate_says_what_it_lacks(home: Home) -> None:
    with Store.open(home.database) as store:
        store.rounds.start(model="m", method="au", seed=0, settings={})
        report = round_report(store, 1, reveal=False, now=NOW)
        assert part(report, "rates").text == (NO_MEASUREMENT,)
        assert "weren't run" in part(report, "gates").text[0]
        with pytest.raises(UsageError, match="no round 2"):
            round_report(store, 2, reveal=False, now=NOW)


def test_it_says_who_made_it(make_report: MakeReport) -> None:
    told = {
        row["what"]: row["value"]
        for row in table(make_report("round"), "provenance", "the round").rows
    }
    assert (told["seed"], told["settings"], told["steps"]) == (7, '{"rank": 4}', 25)
    told = {
        row["what"]: row["value"] for row in table(make_report("round"), "provenance", "run 1").rows
    }
    assert told["registry snapshots"] == "pypi 2026-11-23"
