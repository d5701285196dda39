"""Rates and volumes against numbers worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from ghostbust.measure import measure, widened_for_few
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)

DAY = datetime(2026, 11, 23, tzinfo=UTC)
VERDICTS = {
    "r": Verdict.REAL,
    "a": Verdict.ABSENT,
    "s": Verdict.SUSPECT,
    "u": Verdict.UNKNOWN,
    "b": Verdict.BUILTIN,
}


def answer(names: str, family: str = "f", context: Context = Context.CODE) -> Answer:
    """An answer that names these, in order; a name's first letter is its verdict."""
    prompt = Prompt(f"task of {family}", context, Ecosystem.PYPI, family)
    sample = Sample(prompt, names, "fake", None, 0, 0, 0.7, False, 9)
    judged = tuple(
        Judged(
            PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name),
            Lookup(Ecosystem.PYPI, name, VERDICTS[name[0]], "rule", "made up", "rule", DAY),
        )
        for name in names.split()
    )
    return Answer(sample, judged)


def test_hand_computed_figures() -> None:
    found = measure([answer("r1 r2 a1 s1 u1 b1"), answer("r1 a1", "g"), answer("", "h")])
    assert (found.real, found.absent, found.suspect, found.unknown) == (3, 2, 1, 1)
    assert (found.refs, found.answers) == (6, 3)
    assert found.rate == pytest.approx(3 / 6)
    assert found.volume == pytest.approx(3 / 3)


def test_a_name_counts_once_in_an_answer_and_again_in_the_next() -> None:
    loop = measure([answer("a1 " * 20 + "r1 r1 r1 u1 u1")])
    assert (loop.real, loop.absent, loop.unknown, loop.rate) == (1, 1, 1, 0.5)
    assert measure([answer("a1 r1")] * 3).absent == 3


def test_each_context_that_occurs_has_its_own_figures() -> None:
    found = measure([
        answer("r1 a1"), answer("r1 r2 r3 a1", context=Context.HELPS), answer("r1"),
    ])  # fmt: skip
    assert set(found.by_context) == {"code", "helps"}
    assert found.by_context["code"].rate == pytest.approx(1 / 3)
    assert found.by_context["helps"].rate == pytest.approx(1 / 4)
    assert found.by_context["code"].answers == 2
    assert found.by_context["code"].by_context == {}
    assert found.rate == pytest.approx(2 / 7)


@pytest.mark.parametrize("names", [[], [""], ["u1 b1"], ["", "u1"]])
def test_where_nothing_was_named_there_is_no_rate(names: list[str]) -> None:
    found = measure([answer(text) for text in names])
    assert math.isnan(found.rate)
    assert all(math.isnan(end) for end in found.ci95)
    assert (found.refs, found.volume) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_contains_the_rate_and_is_seeded(seed: int) -> None:
    answers = [answer("r1 r2 a1" if n % 3 else "r1 a1 a2 s1", f"f{n}") for n in range(40)]
    found = measure(answers, seed=seed)
    low, high = found.ci95
    assert 0 <= low < found.rate < high <= 1
    assert high - low < 0.3
    assert measure(answers, seed=seed) == found


def test_families_are_resampled_and_not_answers() -> None:
    """Forty copies of a family's answer say no more than one of them."""
    few = [answer("r1 a1", "f0"), answer("r1 r2 r3", "f1"), answer("a1 a2 r1", "f2")]
    assert measure(few * 40).ci95 == pytest.approx(measure(few).ci95)
    apart = [answer(each.sample.text, f"g{n}") for n, each in enumerate(few * 40)]
    narrow, wide = measure(apart).ci95, measure(few * 40).ci95
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 2


@pytest.mark.parametrize(
    ("names", "low", "high"),
    [("a1", 0.207, 1.0), ("r1", 0.0, 0.793), ("r1 a1", 0.055, 0.945)],
)
def test_one_family_has_wilsons_interval_of_one_draw(names: str, low: float, high: float) -> None:
    found = measure([answer(names)] * 40)
    assert found.ci95 == pytest.approx((low, high), abs=0.001)


def test_where_no_family_invents_the_upper_end_is_near_the_rule_of_three() -> None:
    for families in (12, 100):
        low, high = measure([answer("r1 r2", f"f{n}") for n in range(families)]).ci95
        assert low == 0
        assert 2.9 / families < high < 4 / families


def test_few_families_have_no_narrower_interval_than_so_many_draws() -> None:
    few = [answer("r1 a1", f"f{n}") for n in range(9)]
    low, high = measure(few).ci95
    assert (low, high) == pytest.approx((0.22, 0.78), abs=0.05)
    assert widened_for_few((0.4, 0.6), 0.5, 10) == (0.4, 0.6)
    assert widened_for_few((0.1, 0.95), 0.5, 9) == (0.1, 0.95)


def test_families_that_name_nothing_do_not_break_the_interval() -> None:
    answers = [answer("", f"e{n}") for n in range(30)] + [answer("r1 a1", "f")]
    assert measure(answers).ci95 == measure([answer("r1 a1", "f")]).ci95
