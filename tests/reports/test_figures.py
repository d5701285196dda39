"""Rates from counts are those of the evaluation."""

from __future__ import annotations

import math

import pytest

from ghostbust.measure import NameCounts
from ghostbust.records import Context, Measurement
from ghostbust.reports.figures import compare, rates_of
from ghostbust.store.tallies import SampleTally


def tallies(invented: int, real: int = 1) -> list[SampleTally]:
    """Twelve families of two contexts; the even ones invent."""
    return [
        SampleTally(
            f"p{n}", f"family-{n // 2}", (Context.CODE, Context.HELPS)[n % 2],
            NameCounts(1, real, invented * (n // 2 % 2 == 0)), frozenset(), 0,
        )
        for n in range(24)
    ]  # fmt: skip


def test_the_rate_is_pooled_and_never_without_volume() -> None:
    whole, code, helps = rates_of(tallies(1), seed=0)
    assert whole.context == "all"
    assert (code.context, helps.context) == ("code", "helps")
    assert whole.rate.value == pytest.approx(12 / 36)
    assert whole.rate.low < 12 / 36 < whole.rate.high
    assert (whole.volume.value, whole.volume.low) == (1, 1)
    assert (whole.counts.answers, code.counts.answers) == (24, 12)


def test_a_stored_measurement_comes_before_what_is_counted_anew() -> None:
    stored = Measurement(0.5, (0.4, 0.6), 4, 2, 2, 0, 0, 24, 1.0)
    whole, code, _ = rates_of(tallies(1), seed=0, stored=stored)
    assert (whole.rate.value, whole.rate.low, whole.rate.high) == (0.5, 0.4, 0.6)
    assert code.rate.value == pytest.approx(12 / 36 / 1)


def test_a_model_beside_itself_differs_by_nothing() -> None:
    same = compare(tallies(1), tallies(1), seed=0)[0]
    assert (same.difference.value, same.difference.low, same.difference.high) == (0, 0, 0)
    assert (same.volume_ratio.low, same.volume_ratio.high) == (1, 1)


def test_fewer_inventions_are_a_drop_and_more_names_a_ratio() -> None:
    pair = compare(tallies(2), tallies(1, real=2), seed=0)[0]
    before, after = 24 / 48, 12 / 60
    assert pair.difference.value == pytest.approx(after - before)
    assert pair.drop.value == pytest.approx(1 - after / before)
    assert pair.volume_ratio.value == 2
    assert pair.families == 12


def test_a_drop_from_nothing_is_not_defined() -> None:
    assert math.isnan(compare(tallies(0), tallies(1), seed=0)[0].drop.value)


def test_other_families_cant_be_compared() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        compare(tallies(1), tallies(1)[:-4], seed=0)
