"""Two adapters are compared on the same prompts or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.reports.comparison import comparison_report
from ghostbust.reports.figures import Report
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

MakeReport = Callable[..., Report]
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def compared(store: Store, first: str, second: str) -> Report:
    return comparison_report(store, first, second, reveal=True, now=NOW)


def test_names_are_counted_for_each(make_report: MakeReport, adapter: str) -> None:
    report = make_report("adapters", reveal=True)
    names = next(part for part in report.parts if part.name == "names").tables[0]
    row = next(row for row in names.rows if row["name"] == "zz-quux-sensorlib")
    assert (row["answers of base"], row[f"answers of {adapter}"]) == (24, 8)


def test_the_lead_says_whether_chance_could_do_it(make_report: MakeReport) -> None:
    assert "more than chance" in make_report("adapters").lead[0]


def test_what_cant_be_compared_is_one_line(store: Store, adapter: str) -> None:
    for pair, said in (
        (("base", "nope"), "there is no adapter 'nope'"),
        ((adapter, adapter), "two different"),
    ):
        with pytest.raises(UsageError, match=said):
            compared(store, *pair)


def test_runs_on_other_prompts_are_not_compared(home: Home, adapter: str) -> None:
    with Store.open(home.database) as store:
        row = store.rounds.adapter(adapter)
        assert row is not None
        second = store.rounds.start(model="made-up-model", method="au", seed=8, settings={})
        other = type(row.candidate)(
            "round-0002-bb", row.candidate.path, "made-up-model", "au", 8, 1, 0.5, 1.0
        )
        store.rounds.add_candidate(second, other)
        spec = RunSpec(RunKind.EVAL, "made-up-model", other.name, 7, {"temperature": 0.7})
        run_id = store.runs.start(spec)
        answers = list(store.answers.read(run_id=2))[:20]
        store.answers.add(run_id, answers)
        store.runs.finish(run_id, RunStatus.DONE, None)
        with pytest.raises(UsageError, match=f"eval --adapter {adapter} --adapter {other.name}"):
            compared(store, adapter, other.name)


def test_two_adapters_stand_beside_the_base_where_it_asked_the_same(
    home: Home, adapter: str
) -> None:
    with Store.open(home.database) as store:
        row = store.rounds.adapter(adapter)
        assert row is not None
        second = store.rounds.start(model="made-up-model", method="au", seed=8, settings={})
        other = type(row.candidate)(
            "round-0002-bb", row.candidate.path, "made-up-model", "au", 8, 1, 0.5, 1.0
        )
        store.rounds.add_candidate(second, other)
        before = store.runs.get(2).spec
        spec = RunSpec(RunKind.EVAL, "made-up-model", other.name, 7, before.settings)
        run_id = store.runs.start(spec)
        store.answers.add(run_id, list(store.answers.read(run_id=2)))
        store.runs.finish(run_id, RunStatus.DONE, store.runs.get(2).measurement)
        report = compared(store, adapter, other.name)
    rates = next(part for part in report.parts if part.name == "rates")
    assert list(dict.fromkeys(row["compared"] for row in rates.tables[1].rows)) == [
        f"base -> {adapter}", f"base -> {other.name}", f"{adapter} -> {other.name}",
    ]  # fmt: skip
    assert "chance alone" in report.lead[0]
