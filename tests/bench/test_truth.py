"""What the speed of extraction and judging is measured on, and how."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ghostbust.bench import truth
from ghostbust.extractors.extract import extract
from ghostbust.records import Ecosystem, Verdict
from ghostbust.registries.judge import Judge, Mode, default_judge


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with default_judge(Mode.SNAPSHOT) as made:
        yield made


def test_answers_are_always_the_same_and_name_packages(judge: Judge) -> None:
    answers = truth.made_answers(judge, 8)
    assert answers == truth.made_answers(judge, 8)
    assert len(set(answers)) == 8
    assert all(len(extract(answer)) >= 2 for answer in answers)
    ecosystems = [{ref.ecosystem for ref in extract(answer)} for answer in answers]
    assert ecosystems.count({Ecosystem.NPM}) == 2


def test_half_of_the_names_are_real(judge: Judge) -> None:
    names = truth.made_names(judge)
    verdicts = [lookup.verdict for lookup in judge.names(Ecosystem.PYPI, names).values()]
    assert 0.45 < verdicts.count(Verdict.REAL) / len(verdicts) < 0.55
    assert verdicts.count(Verdict.ABSENT) > 0.45 * len(verdicts)


def test_rates_are_positive(judge: Judge) -> None:
    rate = truth.extraction_rate(truth.made_answers(judge, 4))
    assert (rate.items, rate.by) == (4, "ghostbust")
    assert rate.per_s > 0
    rate = truth.judging_rate(judge, ["requests", "requests", "zz-made-up"])
    assert rate.items == 2
    assert rate.per_s > 0


def test_the_quickest_run_counts() -> None:
    times = iter([0.0, 4.0, 10.0, 12.0, 20.0, 23.0, 30.0, 39.0, 40.0, 45.0])
    assert truth.best_rate(lambda: None, 10, lambda: next(times)) == 5.0


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc here")
def test_both_snapshots_fit_into_the_memory_that_they_may_take() -> None:
    memory = truth.memory_bytes()
    assert memory is not None
    assert 10_000_000 < memory < 120_000_000


def test_a_peer_reads_the_same_input_in_its_own_interpreter() -> None:
    script = "import json; n = len(json.load(open('a.json'))); print(json.dumps(['1.0', n / 4, n]))"
    rate = truth.peer_rate(Path(sys.executable), "w", "peer", script, ["x", "y"], "a.json")
    assert rate == truth.Rate("w", "peer 1.0", 2, 4.0, 2)
    script = "n = len(open('a.txt').readlines()); print(f'[\"2\", {n}, 7]')"
    rate = truth.peer_rate(Path(sys.executable), "w", "peer", script, ["x", "y"], "a.txt")
    assert rate == truth.Rate("w", "peer 2", 2, 1.0, 7)


@pytest.mark.parametrize(
    "script", ["import not_there", "print('no json')", "print('[1, 2]')", "print(1)", ""]
)
def test_a_peer_that_is_not_there_has_no_rate(script: str) -> None:
    assert truth.peer_rate(Path(sys.executable), "w", "p", script, ["x"], "a.txt") is None
    assert truth.peer_rate(Path("no-python"), "w", "p", "", ["x"], "a.txt") is None
