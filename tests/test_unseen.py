"""Estimates of what a sample missed, against closed forms and simulated truth."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from ghostbust.measure import wilson_interval
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
from ghostbust.unseen import Incidence, unseen, unseen_of
from tests.lab.unseen import Population, outcome, populations


def seen(text: str) -> list[Incidence]:
    """Incidences from ``name:family`` or ``name:family:answers``."""
    rows = (word.split(":") for word in text.split())
    return [Incidence(name, family, int(count[0]) if count else 1) for name, family, *count in rows]


def test_the_chance_is_the_share_of_inventions_that_one_family_alone_has() -> None:
    """Six inventions, of which three are of names that no other family has."""
    found = unseen(seen("a:1 a:2 b:1:2 c:3 d:2 d:4"), families=5, answers=10)
    assert (found.names, found.inventions, found.once, found.twice) == (4, 7, 2, 2)
    assert found.chance == pytest.approx(3 / 7)
    assert found.gain == pytest.approx(1000 * 2 / 10)
    # (F - 1) / F * Q1 (Q1 - 1) / (2 (Q2 + 1))
    assert found.left == pytest.approx(4 / 5 * 2 * 1 / (2 * 3))


def test_with_one_name_a_family_the_variance_is_estys() -> None:
    """30 single names, 10 in pairs, 5 in threes: the width is that of f1 (1 - f1 / n) + 2 f2."""
    rows, family = [], 0
    for times, count in ((1, 30), (2, 10), (3, 5)):
        for name in range(count):
            rows += [Incidence(f"{times}-{name}", str(family + n), 1) for n in range(times)]
            family += times
    found = unseen(rows, families=family, answers=family)
    n, once, twice = family, 30, 10
    variance = (once * (1 - once / n) + 2 * twice) / n**2
    draws = (once / n) * (1 - once / n) / variance
    low, high = wilson_interval(once / n, draws, z=1.9971)  # Student's t with 64 degrees
    assert found.chance_ci95 == pytest.approx((low, high), abs=1e-4)


def test_answers_of_one_family_do_not_count_as_independent() -> None:
    """The same inventions, all of one family's answers or each of a family of its own."""
    apart = seen(" ".join(f"a{n}:{n}" for n in range(20)) + " " +
                 " ".join(f"b{n % 5}:{20 + n}" for n in range(20)))  # fmt: skip
    together = [Incidence(one.name, str(int(one.family) // 5), 1) for one in apart]
    narrow = unseen(apart, families=40, answers=40).chance_ci95
    wide = unseen(together, families=8, answers=40).chance_ci95
    assert wide[1] - wide[0] > 1.3 * (narrow[1] - narrow[0])


def test_an_incidence_that_comes_twice_is_summed() -> None:
    once = unseen(seen("a:1:2 b:2 b:3"), families=3, answers=6)
    assert unseen(seen("a:1 b:2 a:1 b:3"), families=3, answers=6) == once


def test_where_nothing_was_invented_the_chance_is_not_known() -> None:
    found = unseen([], families=8, answers=16)
    assert math.isnan(found.chance)
    assert all(map(math.isnan, found.chance_ci95))
    assert (found.names, found.gain, found.left) == (0, 0, 0)
    assert found.gain_ci95[1] > 0, "none in 16 answers isn't none at all"
    assert "can't be told" in str(found)


def test_one_family_tells_nothing_of_others() -> None:
    found = unseen(seen("a:1 b:1 c:1"), families=1, answers=4)
    assert found.chance_ci95 == (0, 1)
    assert math.isnan(found.left)
    assert "can't be told" in str(found)


def test_where_all_is_seen_none_may_be_left() -> None:
    found = unseen(seen("a:1 a:2 a:3 b:1 b:2 b:4"), families=4, answers=8)
    assert (found.chance, found.left, found.gain) == (0, 0, 0)
    assert found.chance_ci95[0] == found.left_ci95[0] == found.gain_ci95[0] == 0
    assert 0 < found.chance_ci95[1] < 1


def test_where_every_name_is_new_the_chance_may_be_less_than_one() -> None:
    found = unseen(seen(" ".join(f"n{n}:{n}" for n in range(10))), families=10, answers=20)
    assert found.chance == 1
    assert 0.5 < found.chance_ci95[0] < 1
    assert found.chance_ci95[1] == pytest.approx(1)


def test_more_inventing_families_than_were_asked_is_an_error() -> None:
    with pytest.raises(ValueError, match="2 families, but 1"):
        unseen(seen("a:1 a:2"), families=1, answers=1)


def test_the_sentence_has_every_interval() -> None:
    found = unseen(
        seen(" ".join(f"n{n}:{n}" for n in range(9)) + " x:0 x:1"), families=10, answers=9
    )
    said = str(found)
    assert f"at least about {found.left:,.0f} more names left" in said
    assert f"probability {found.chance:.2f} ({found.chance_ci95[0]:.2f} to" in said


def test_answers_count_names_once_each_and_only_inventions() -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC)

    def answer(family: str, number: int, *names: str) -> Answer:
        prompt = Prompt(f"task {family}", Context.HELPS, Ecosystem.PYPI, family)
        verdicts = {"a": Verdict.ABSENT, "s": Verdict.SUSPECT, "r": Verdict.REAL,
                    "u": Verdict.UNKNOWN}  # fmt: skip
        judged = tuple(
            Judged(
                PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, 2, name),
                Lookup(Ecosystem.PYPI, name, verdicts[name[0]], "", "", "rule", day),
            )
            for name in names
        )
        return Answer(Sample(prompt, "", "m", None, 0, number, 0.7, False, 1), judged)

    found = unseen_of(
        [
            answer("f", 0, "a1", "a1", "r1", "u1"),
            answer("f", 1, "a1", "s1"),
            answer("g", 0, "s1"),
            answer("h", 0),
        ]
    )
    assert (found.families, found.answers) == (3, 4)
    assert (found.names, found.inventions, found.once, found.twice) == (2, 4, 1, 1)
    assert found.chance == pytest.approx(2 / 4)


@pytest.mark.parametrize("population", populations(), ids=lambda p: p.title)
def test_the_interval_holds_the_true_chance_in_85_of_100_runs(population: Population) -> None:
    """100 simulated samples of 40 families with 3 answers each, seeds 0 to 99."""
    got = outcome(population, families=40, answers=3, runs=100, seed=0, further=600)
    assert got.chance_covered >= 0.85
    assert got.gain_covered >= 0.85
    assert got.left_held >= 0.95, "a lower bound"
    assert abs(got.chance_estimated - got.chance_true) < 0.04
    assert got.chance_width < 0.6, "an interval that says something"
