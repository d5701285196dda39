"""A row's figures, from answers whose names are counted by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ghostbust.evaluation.behaviour import compare
from ghostbust.records import Answer

JudgedAnswer = Callable[..., Answer]


def test_the_drop_and_the_volume_are_as_counted(judged_answer: JudgedAnswer) -> None:
    base = [judged_answer("- numpy\n- ghost-a\n", family="a"), judged_answer("- ghost-b\n- rich")]
    adapted = [judged_answer("- numpy\n- rich\n- flask", family="a"), judged_answer("- ghost-b")]
    row = compare("plain", base, adapted, note="by hand")
    assert (row.base.rate, row.adapted.rate) == (0.5, 0.25)
    assert row.drop == 0.5
    assert row.volume_ratio == pytest.approx(1.5)
    low, high = row.drop_ci95
    assert low < 0.5 < high
    assert (row.variant, row.note) == ("plain", "by hand")


def test_the_interval_needs_no_pairs_of_prompts(judged_answer: JudgedAnswer) -> None:
    """As where each model goes on from its own answer: other prompts, the same families."""
    base = [judged_answer("- ghost-a\n- numpy", family=f"f{n}") for n in range(20)]
    adapted = [judged_answer("- numpy", family=f"f{n}") for n in range(19)]
    adapted.append(judged_answer("- ghost-a", family="f19"))
    row = compare("own", base, adapted)
    assert row.drop == pytest.approx(0.9)
    assert row.drop_ci95[1] == 1.0
    assert 0.5 < row.drop_ci95[0] < 0.9


@pytest.mark.parametrize(("base", "adapted"), [("- numpy", "- ghost-a"), ("- ghost-a", "None.")])
def test_without_anything_to_compare_the_drop_is_no_number(
    base: str, adapted: str, judged_answer: JudgedAnswer
) -> None:
    row = compare("none", [judged_answer(base)], [judged_answer(adapted)])
    assert math.isnan(row.drop)
    assert all(math.isnan(bound) for bound in row.drop_ci95)


def test_no_real_names_of_the_base_are_no_ratio(judged_answer: JudgedAnswer) -> None:
    row = compare("none", [judged_answer("- ghost-a")], [judged_answer("- numpy")])
    assert math.isnan(row.volume_ratio)
    assert row.drop == 1.0
