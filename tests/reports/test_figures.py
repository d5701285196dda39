"""Rates from counts are those of the evaluation."""

from __future__ import annotations

import math
from itertools import product

import pytest

from ghostbust.measure import NameCounts
from ghostbust.records import Context, Measurement
from ghostbust.reports.figures import compare, rates_of
from ghostbust.store.tallies import SampleTally


def tallies(invented: int, real: tuple[str, ...] = ("numpy",)) -> list[SampleTally]:
    """Twelve families of two contexts, two answers to a prompt; the even ones invent."""
    found = []
    for n, number in product(range(24), range(2)):
        some = invented * (n // 2 % 2 == 0)
        counts = NameCounts(1, len(real), some, inventing=int(some > 0), installers=1)
        context = (Context.CODE, Context.HELPS)[n % 2]
        found.append(
            SampleTally(f"p{n}", f"family-{n // 2}", context, counts, frozenset(real), number)
        )
    return found


def test_the_rate_is_pooled_and_never_without_volume() -> None:
    whole, code, helps = rates_of(tallies(1), seed=0)
    assert whole.context == "all"
    assert (code.context, helps.context) == ("code", "helps")
    assert whole.rate.value == pytest.approx(12 / 36)
    assert whole.rate.low < 12 / 36 < whole.rate.high
    assert (whole.volume.value, whole.volume.low) == (1, 1)
    assert (whole.answer_rate.value, whole.all_names.value, whole.supported) == (0.5, 1.5, None)
    assert (whole.counts.answers, code.counts.answers, code.counts.installers) == (48, 24, 24)


def test_a_stored_measurement_comes_before_what_is_counted_anew() -> None:
    stored = Measurement(0.5, (0.4, 0.6), 4, 2, 2, 0, 0, 24, 1.0)
    whole, code, _ = rates_of(tallies(1), seed=0, stored=stored)
    assert (whole.rate.value, whole.rate.low, whole.rate.high) == (0.5, 0.4, 0.6)
    assert code.rate.value == pytest.approx(12 / 36 / 1)


def test_a_model_beside_itself_differs_by_nothing() -> None:
    same = compare(tallies(1), tallies(1))[0]
    assert (same.difference.value, same.difference.low, same.difference.high) == (0, 0, 0)
    for ratio in (same.supported, same.all_names):
        assert (ratio.low, ratio.high) == pytest.approx((1, 1))


def test_fewer_inventions_are_a_drop_and_other_names_unsupported() -> None:
    famous = tallies(1, ("requests", "pandas"))
    pair = compare(tallies(2), famous)[0]
    before, after = 2 / 4, 1 / 5
    assert pair.difference.value == pytest.approx(after - before)
    assert pair.drop.value == pytest.approx(1 - after / before)
    assert pair.drop.low < pair.drop.value < pair.drop.high
    assert (pair.supported.value, pair.unsupported.value) == (0, 1)
    assert pair.all_names.value == pytest.approx(2.5 / 2)
    assert pair.families == 12


def test_one_answer_to_a_prompt_supports_nothing() -> None:
    alone = [one for one in tallies(1) if one.number == 0]
    whole, *_ = compare(alone, alone)
    assert math.isnan(whole.supported.value)
    assert math.isnan(whole.unsupported.value)
    assert whole.all_names.value == 1


def test_a_drop_from_nothing_is_not_defined() -> None:
    assert math.isnan(compare(tallies(0), tallies(1))[0].drop.value)


def test_other_families_cant_be_compared() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        compare(tallies(1), tallies(1)[:-4])
