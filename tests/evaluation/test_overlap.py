"""The Dice coefficient over pairs of samples, and the shares of names, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ghostbust.evaluation.behaviour import (
    across,
    common_share,
    dice,
    dice_ratio,
    draw_together,
    name_shares,
    within,
)
from ghostbust.records import Answer

MakeAnswer = Callable[..., Answer]


def test_every_pair_of_samples_of_one_prompt_counts(make_answer: MakeAnswer) -> None:
    left = [make_answer(0, "a b"), make_answer(0, "a", number=1), make_answer(1, "x")]
    right = [make_answer(0, "b"), make_answer(0, "c", number=1), make_answer(1, "x y z")]
    counted = across(left, right)
    assert list(counted.families) == ["family-000", "family-001"]
    # ab-b: 2 of 3, ab-c: 0 of 3, a-b: 0 of 2, a-c: 0 of 2; means 0.5 and 2.5. x-xyz: 2 of 4.
    assert counted.columns == {"shared": [0.5, 2.0], "sizes": [2.5, 4.0]}
    (sums,) = draw_together([counted], seed=0, resamples=1)
    assert dice(sums)[0] == pytest.approx(2.5 / 6.5)


def test_a_model_beside_itself_takes_each_two_of_its_answers(make_answer: MakeAnswer) -> None:
    answers = [make_answer(0, names, number=n) for n, names in enumerate(("a", "a b", "c"))]
    # a-ab: 2 of 3, a-c: 0 of 2, ab-c: 0 of 3.
    columns = within(answers).columns
    assert columns["shared"] == pytest.approx([2 / 3])
    assert columns["sizes"] == pytest.approx([8 / 3])
    assert within(answers[:1]).families == []


def test_invented_names_overlap_with_nothing(make_answer: MakeAnswer) -> None:
    counted = across([make_answer(0, "a", "ghost")], [make_answer(0, "b", "ghost")])
    assert counted.columns == {"shared": [0.0], "sizes": [2.0]}


@pytest.mark.parametrize(
    ("says", "ratio"),
    [
        ("a b", 1.0),
        ("", 0.0),  # recommends nothing
        ("a", 2 / 3),  # less
        ("a b numpy pandas requests flask click", 4 / 9),  # more: padded
        ("numpy pandas", 0.0),  # other packages
    ],
)
def test_less_more_and_other_names_all_lower_it(
    make_answer: MakeAnswer, says: str, ratio: float
) -> None:
    base, again = [make_answer(0, "a b")], [make_answer(0, "a b", number=1)]
    yardstick, model = draw_together(
        [within(base + again), across([make_answer(0, says)], base + again)], seed=0, resamples=1
    )
    assert dice_ratio(yardstick, model)[0] == pytest.approx(ratio)


def test_shares_of_names_sum_to_one_and_are_drawn_by_family(make_answer: MakeAnswer) -> None:
    base = [make_answer(0, "a b"), make_answer(1, "a c")]
    other = [make_answer(0, "a"), make_answer(1, "a")]
    silent = [make_answer(0), make_answer(1)]
    shares = name_shares([base, other, silent], seed=0, resamples=20)
    assert shares[0][0].tolist() == [0.5, 0.25, 0.25]
    assert shares[1][0].tolist() == [1.0, 0.0, 0.0]
    assert not shares[2].any()
    assert shares[0].sum(axis=1) == pytest.approx(np.ones(21))
    assert common_share(shares[0], shares[1])[0] == 0.5
    assert common_share(shares[0], shares[0]) == pytest.approx(np.ones(21))
    # A resample is of whole families: three kinds there are, of which two have no c or no b.
    assert {tuple(row) for row in shares[0].tolist()} == {
        (0.5, 0.25, 0.25), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5),
    }  # fmt: skip
