"""Supported names, rates weighted by context, and their spread, by hand."""

from __future__ import annotations

import math
import random

import pytest

from ghostbust.records import Answer, Context
from ghostbust.side_by_side import BaseNames, SideBySide
from tests.test_measure import answer


def test_a_name_is_supported_by_the_bases_other_answers() -> None:
    base = [answer("r1 r2 a1"), answer("r1 r3"), answer("r1 r2"), answer("r9", "g")]
    names = BaseNames(base)
    assert [names.supported(one, own=True) for one in base] == [2, 1, 2, 0]
    # Another model's answer is compared with two of the three: r3 is in two of these three pairs.
    assert names.supported(answer("r1 r3 r4 a1")) == pytest.approx(1 + 2 / 3)
    assert names.supported(answer("r1", "elsewhere")) == 0


def test_a_model_that_answers_as_the_base_has_as_many_supported_names() -> None:
    draw = random.Random(4)

    def sample(family: int) -> Answer:
        chances = {"r1": 0.9, "r2": 0.4, "r3": 0.2, "r4": 0.1, "r5": 0.1}
        return answer(" ".join(n for n, p in chances.items() if draw.random() < p), f"f{family}")

    base, other = ([sample(family) for family in range(2000) for _ in range(3)] for _ in range(2))
    pair = SideBySide.of(base, other)
    after, before = (each.sum() for each in pair.each_family("supported"))
    assert after / before == pytest.approx(1, abs=0.03)


def test_rates_have_the_bases_weights_over_contexts() -> None:
    def side(code: str, helps: str) -> list[Answer]:
        return [
            one
            for family in ("f", "g", "h")
            for one in (answer(code, family), answer(helps, family, Context.HELPS))
        ]

    base = side("r1 r2 r3 a1", "a1 a2")  # 4 names at 0.25, 2 at 1: 0.5 of all
    for candidate, rate in (
        (base, 0.5),
        (side("r1 a1", "a1 a2"), 4 / 6 * 0.5 + 2 / 6),
        (side("r1 r2 r3 a1", ""), 0.5),  # silent where it invents most: nothing gained
        (side("r1", "r1 a1"), 2 / 6 * 0.5),
    ):
        after, before = SideBySide.of(base, candidate).rates()
        assert before.mean() == pytest.approx(0.5)
        assert after.mean() == pytest.approx(rate)
    with pytest.raises(ValueError, match="the base names nothing"):
        SideBySide.of(side("", ""), base).rates()


def test_values_of_families_have_the_spread_of_the_rate() -> None:
    """To first order as leaving each family out (jackknife) says."""
    draw = random.Random(6)
    families = [f"f{number}" for number in range(40)]

    def side() -> list[Answer]:
        return [
            answer(" ".join(n for n in ("r1", "r2", "a1", "a2") if draw.random() < 0.6), f, context)
            for f in families
            for context in (Context.CODE, Context.HELPS)
        ]

    base, candidate = side(), side()
    values, _ = SideBySide.of(base, candidate).rates()

    def without(family: str) -> float:
        own, other = (
            [a for a in one if a.sample.prompt.family != family] for one in (base, candidate)
        )
        return float(SideBySide.of(own, other).rates()[0].mean())

    left = [without(family) for family in families]
    mean = sum(left) / 40
    jackknife = math.sqrt(39 / 40 * sum((one - mean) ** 2 for one in left))
    assert values.std(ddof=1) / math.sqrt(40) == pytest.approx(jackknife, rel=0.05)
