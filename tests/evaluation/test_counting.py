"""Counts of answers, and families drawn for all models together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ghostbust.adapters import name_key
from ghostbust.evaluation.behaviour import (
    BINS,
    CountTable,
    count_answers,
    count_faults,
    draw_together,
    share,
)
from ghostbust.records import Answer, Context, Ecosystem

MakeAnswer = Callable[..., Answer]


def counted(*answers: Answer, **how: object) -> dict[str, list[float]]:
    made = count_answers(answers, count_faults(answers), **how)  # type: ignore[arg-type]
    return {name: list(values) for name, values in made.columns.items()}


def test_names_count_once_an_answer_and_what_is_unknown_in_no_rate(make_answer: MakeAnswer) -> None:
    found = counted(
        make_answer(0, "numpy numpy rich", "ghost ghost", unknown="silent"),
        make_answer(1, truncated=True),
    )
    assert found["answers"] == [1, 1]
    assert found["real"] == [2, 0]
    assert found["invented"] == [1, 0]
    assert found["named"] == [3, 0]
    assert found["with_invention"] == [1, 0]
    assert found["unknown"] == [1, 0]
    assert found["truncated"] == [0, 1]


def test_forgotten_names_are_left_out_of_new_ones_in_their_ecosystem_only(
    make_answer: MakeAnswer,
) -> None:
    forgotten = frozenset({name_key(Ecosystem.PYPI, "ghost"), name_key(Ecosystem.NPM, "spectre")})
    found = counted(make_answer(0, "rich", "ghost spectre"), forgotten=forgotten)
    assert (found["invented"], found["named"]) == ([2], [3])
    assert (found["new_invented"], found["new_named"]) == ([1], [2])


@pytest.mark.parametrize(
    ("names", "label"),
    [(0, "0"), (1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (6, "6-12"), (12, "6-12"), (13, ">12")],
)
def test_every_number_of_names_has_its_bin(make_answer: MakeAnswer, names: int, label: str) -> None:
    found = counted(make_answer(0, " ".join(f"name-{n}" for n in range(names))))
    assert {bin_: found[f"length {bin_}"] for bin_ in BINS} == {
        bin_: [float(bin_ == label)] for bin_ in BINS
    }


def test_one_context_alone(make_answer: MakeAnswer) -> None:
    answers = [make_answer(0, "rich"), make_answer(1, "rich numpy", context=Context.NEEDS)]
    assert counted(*answers, context=Context.NEEDS)["real"] == [2]


def test_families_are_drawn_for_all_together() -> None:
    """What is the same for both is the same in every resample, however much it varies."""
    families = [f"f{n}" for n in range(20)]
    values = [float(n) for n in range(20)]
    one, other = draw_together(
        [
            CountTable(families, {"a": values}),
            CountTable(families[::-1], {"a": values[::-1], "b": values}),
        ],
        seed=1,
        resamples=50,
    )
    assert one["a"].shape == (51,)
    assert one["a"][0] == 190
    assert len(np.unique(one["a"])) > 10
    assert np.array_equal(one["a"], other["a"])
    assert not np.array_equal(one["a"], other["b"])


def test_other_families_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="different prompts"):
        draw_together(
            [CountTable(["f"], {"a": [1.0]}), CountTable(["g"], {"a": [1.0]})], seed=0, resamples=2
        )


def test_a_share_of_nothing_is_no_number() -> None:
    values = share(np.array([1.0, 0.0, 1.0]), np.array([4.0, 0.0, 0.0]))
    assert values[0] == 0.25
    assert np.isnan(values[1])
    assert np.isinf(values[2])
