"""What stands in a report on a run, a round, two adapters, a period, and which are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import Estimate
from ghostbust.gates.interface import paired
from ghostbust.gates.volume import volume_gate
from ghostbust.home import Home
from ghostbust.measure import Key, NameCounts, measure
from ghostbust.records import Answer, Candidate, GateReport, Verdict
from ghostbust.reports.document import Report, ReportPart
from ghostbust.reports.figures import figures_together
from ghostbust.reports.subjects import (
    NO_MEASUREMENT,
    comparison_report,
    gate_runs,
    period_report,
    round_report,
    run_report,
)
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from ghostbust.store.traffic import LoggedPart

MakeReport = Callable[..., Report]
Rows = tuple[dict[str, object], ...]
NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)


def part(report: Report, name: str) -> ReportPart:
    return next(one for one in report.parts if one.name == name)


def rows(report: Report, title: str) -> Rows:
    return next(t for part in report.parts for t in part.tables if t.title == title).rows


def test_the_rates_of_a_run_are_the_stored_ones_and_the_volume_has_an_interval(
    store: Store,
) -> None:
    report = run_report(store, 1, reveal=False, now=NOW)
    stored = store.runs.get(1).measurement
    assert stored is not None
    found = rows(report, "by context")
    assert [row["context"] for row in found] == ["all", "code", "helps"]
    assert found[0]["rate"] == Estimate(stored.rate, *stored.ci95)
    assert found[0]["volume"] == Estimate(1.0, 1.0, 1.0)
    assert len(report.names) == 13


def test_an_older_measure_is_said_and_counted_anew(home: Home, adapter: str) -> None:
    """Also in a comparison; what a log held can't be counted anew."""
    with Store.open(home.database) as store:
        today = store.runs.get(1).measurement
        assert today is not None
        older = replace(today, rate=0.9, ci95=(0.8, 0.95), installers=None, by_context={})
        for kind in (RunKind.GATE, RunKind.INGEST):
            spec = replace(store.runs.get(1).spec, kind=kind)
            run_id = store.runs.start(spec)
            if kind is RunKind.GATE:
                store.answers.add(run_id, list(store.answers.read(run_id=1)))
            else:
                counted = {Key("made-up-model", None, "code", 3): NameCounts(50, 20, 30)}
                store.traffic.add([LoggedPart(run_id, counted)], None)
            store.runs.finish(run_id, RunStatus.DONE, older)
        anew, log = (run_report(store, number, reveal=False, now=NOW) for number in (3, 4))
        both = comparison_report(store, "base", adapter, reveal=False, now=NOW)
    said = "ended with a rate of 0.900 (0.800..0.950) by an older measure"
    for report in (anew, both):
        (table,) = (t for part in report.parts for t in part.tables if t.title == "by context")
        assert f"Run 3 {said}" in table.notes[0]
        assert table.rows[0]["rate"] != Estimate(0.9, 0.8, 0.95)
    whole = rows(log, "by context")[0]
    assert (whole["rate"], whole["answers"]) == (Estimate(0.9, 0.8, 0.95), 50)
    assert "can't be counted anew" in part(log, "rates").tables[0].notes[0]
    history = part(anew, "history")
    assert [row["measure"] for row in history.tables[0].rows] == [
        "today's", "today's", "older", "older",
    ]  # fmt: skip
    assert "base (older measure), gate" in [line.name for line in history.charts[0].lines]


def test_a_run_that_is_under_way_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 0))
        report = run_report(store, 1, reveal=False, now=NOW)
        assert report.lead == (
            "No answer is logged.",
            "The run is running, so these figures are of what it had logged.",
        )
        with pytest.raises(UsageError, match="no run 2"):
            run_report(store, 2, reveal=False, now=NOW)


def test_base_and_candidate_are_found_by_what_they_asked(
    make_report: MakeReport, store: Store, adapter: str
) -> None:
    found = rows(make_report("round"), "by context")
    whole = {row["model"]: row for row in found if row["context"] == "all"}
    assert list(whole) == ["base", adapter]
    for number, name in enumerate(whole, 1):
        stored = store.runs.get(number).measurement
        assert stored is not None
        assert whole[name]["rate"] == Estimate(stored.rate, *stored.ci95)
        assert whole[name]["answers"] == stored.answers == 48
    (pair, *_) = rows(make_report("round"), "compared")
    assert pair["compared"] == f"base -> {adapter}"
    drop = pair["drop of the rate"]
    assert isinstance(drop, Estimate)
    assert 0 < drop.low < drop.value < drop.high < 1


def test_a_round_is_compared_on_the_answers_that_both_gave(home: Home, adapter: str) -> None:
    """The base's run has more by now, asked for another candidate."""
    with Store.open(home.database) as store:
        first = store.runs.get(2)
        half = [answer for answer in store.answers.read(run_id=2) if answer.sample.number == 0]
        run_id = store.runs.start(replace(first.spec, seed=8))
        store.answers.add(run_id, half)
        store.runs.finish(run_id, RunStatus.DONE, measure(half))
        one = replace(store.rounds.get(1), before_run=1, after_run=run_id)
        runs = gate_runs(store, one)
        assert [run.id for run in runs.values()] == [1, run_id]
        (base, *_), (after, *_) = figures_together(store, runs).values()
        assert base.counts.answers == after.counts.answers == 24


def real_names(answers: Sequence[Answer], names: str) -> list[Answer]:
    """The answers again, numbered on, so four to a prompt; each has one real name of ``names``."""
    made = []
    for block, answer in product(range(2), answers):
        number = answer.sample.number + 2 * block
        named = next(one for one in answer.judged if one.lookup.verdict is Verdict.REAL)
        named = replace(named, lookup=replace(named.lookup, name=names[number]))
        made.append(Answer(replace(answer.sample, number=number), (named,)))
    return made


def test_a_round_of_two_blocks_has_the_ratio_of_its_gate(home: Home, adapter: str) -> None:
    """What is supported is so by the others of one block, here by one, not by the three there."""
    with Store.open(home.database) as store:
        base, candidate = (
            real_names(list(store.answers.read(run_id=run)), names)
            for run, names in ((1, "aabb"), (2, "aaaa"))
        )
        runs = []
        for first, answers in ((1, base), (2, candidate)):
            runs.append(store.runs.start(replace(store.runs.get(first).spec, seed=8)))
            store.answers.add(runs[-1], answers)
            store.runs.finish(runs[-1], RunStatus.DONE, measure(answers))
        result = volume_gate(paired(base, candidate, support=1))
        model = "made-up-model"
        round_id = store.rounds.start(
            model=model, method="au", seed=8, settings={}, before_run=runs[0]
        )
        name, path = "round-0002-bb", home.adapters / "round-0002-bb"
        store.rounds.add_candidate(round_id, Candidate(name, path, model, "au", 8, 1, 0.1, 1.0))
        store.rounds.add_gate_report(round_id, GateReport(name, (result,)), runs[1])
        report = round_report(store, round_id, reveal=False, now=NOW)
    whole = rows(report, "compared")[0]["supported ratio"]
    assert isinstance(whole, Estimate)
    assert whole.value == pytest.approx(result.details["ratio"])
    assert whole.value == pytest.approx((2 / 4) / (1 / 3)), "of all three others it is 1"
    before, after = (row for row in rows(report, "by context") if row["context"] == "all")
    for row, figure in ((before, result.base), (after, result.candidate)):
        assert isinstance(supported := row["supported"], Estimate)
        assert supported.value == pytest.approx(figure)


def test_gates_stand_beside_the_base_with_why(make_report: MakeReport) -> None:
    found = rows(make_report("round"), "gates")
    assert [(row["gate"], row["verdict"]) for row in found] == [
        ("volume", "PASS"), ("coding", "INCONCLUSIVE"),
    ]  # fmt: skip
    assert (found[0]["base"], found[0]["candidate"], found[0]["interval to"]) == (1.0, 1.02, 1.1)
    assert found[1]["base"] is None


def test_the_losses_are_the_manifests(make_report: MakeReport) -> None:
    training = part(make_report("round"), "training")
    (chart,) = training.charts
    assert len(chart.lines[0].points) == 25
    first = training.tables[0].rows[0]
    assert first == {"steps": "1 to 2", "mean loss": pytest.approx(2 - 1 / 60)}
    assert training.tables[0].rows[-1]["steps"].endswith("to 25")  # type: ignore[attr-defined]


def test_an_adapters_folder_that_is_gone_is_said_to_be(
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


def test_provenance_says_what_made_it(make_report: MakeReport) -> None:
    report = make_report("round")
    made = {row["what"]: row["value"] for row in rows(report, "the round")}
    assert (made["seed"], made["settings"], made["steps"]) == (7, '{"rank": 4}', 25)
    made = {row["what"]: row["value"] for row in rows(report, "run 1")}
    assert made["registry snapshots"] == "pypi 2026-11-23"


def compared(store: Store, first: str, second: str) -> Report:
    return comparison_report(store, first, second, reveal=True, now=NOW)


def test_names_are_counted_for_each(make_report: MakeReport, adapter: str) -> None:
    report = make_report("adapters", reveal=True)
    row = next(row for row in rows(report, "names") if row["name"] == "zz-quux-sensorlib")
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


def sampled_by_another(
    store: Store, adapter: str, name: str, pick: Callable[[Sequence[Answer]], Sequence[Answer]]
) -> None:
    """A second adapter with a run of some of the answers of the first."""
    row, first = store.rounds.adapter(adapter), store.runs.get(2)
    assert row is not None
    round_id = store.rounds.start(model="made-up-model", method="au", seed=8, settings={})
    store.rounds.add_candidate(round_id, replace(row.candidate, name=name))
    run_id = store.runs.start(RunSpec(RunKind.EVAL, "made-up-model", name, 7, first.spec.settings))
    store.answers.add(run_id, pick(list(store.answers.read(run_id=2))))
    store.runs.finish(run_id, RunStatus.DONE, first.measurement)


def test_runs_on_other_prompts_are_not_compared(home: Home, adapter: str) -> None:
    with Store.open(home.database) as store:
        sampled_by_another(store, adapter, "round-0002-bb", lambda answers: answers[:20])
        with pytest.raises(UsageError, match=f"eval --adapter {adapter} --adapter round-0002-bb"):
            compared(store, adapter, "round-0002-bb")


def test_two_adapters_stand_beside_the_base_where_it_asked_the_same(
    home: Home, adapter: str
) -> None:
    other = "round-0002-bb"
    with Store.open(home.database) as store:
        sampled_by_another(store, adapter, other, lambda answers: answers)
        report = compared(store, adapter, other)
    assert list(dict.fromkeys(row["compared"] for row in rows(report, "compared"))) == [
        f"base -> {adapter}", f"base -> {other}", f"{adapter} -> {other}",
    ]  # fmt: skip
    assert "chance alone" in report.lead[0]


def test_a_period_without_ends_is_everything(make_report: MakeReport) -> None:
    report = make_report("period")
    assert report.lead[0].startswith("Runs: 2. Rounds: 1. Invented names: 13")
    assert len(rows(report, "finished runs")) == 2
    assert [row["state"] for row in rows(report, "rounds")] == ["promoted"]
    assert len(rows(report, "claimed names")) == 1


def test_both_days_belong_to_a_period(store: Store) -> None:
    def moves(since: date, until: date) -> int:
        report = period_report(store, since, until, reveal=False, now=NOW)
        return len(rows(report, "moves of the deployed pointer"))

    assert moves(date(2026, 11, 2), date(2026, 11, 2)) == 1  # it was made at 00:00 of that day
    assert moves(date(2026, 11, 1), date(2026, 11, 1)) == 0
    assert moves(date(2026, 11, 3), date(2026, 11, 9)) == 0


def test_an_empty_period_is_said_to_be(store: Store) -> None:
    report = period_report(store, date(2001, 1, 1), date(2001, 1, 2), reveal=False, now=NOW)
    assert report.lead[0].startswith("Runs: 0. Rounds: 0. Invented names: 0")
    assert rows(report, "finished runs") == ()
