from __future__ import annotations

from collections.abc import Callable

import pytest

from ghostbust.gates.interface import MIN_FAMILIES, aligned, by_context, paired, unpaired
from ghostbust.records import Answer, Context

MakeAnswer = Callable[..., Answer]


def test_the_same_prompts_pair_in_any_order(make_answer: MakeAnswer) -> None:
    base = [make_answer(family, real=1) for family in range(20)]
    candidate = [make_answer(family, real=2) for family in reversed(range(20))]
    assert unpaired(base, candidate) == ""
    pairs = zip(aligned(base), aligned(candidate), strict=True)
    assert all(b.sample.prompt == c.sample.prompt for b, c in pairs)


@pytest.mark.parametrize(
    ("base", "candidate", "why"),
    [
        ([], range(20), "not run"),
        (range(20), [], "not run"),
        (range(20), range(1, 21), "the same prompts"),
        (range(20), [*range(20), 3], "the same prompts equally often"),
        (range(MIN_FAMILIES - 1), range(MIN_FAMILIES - 1), "too few prompt families: 9, needs 10"),
    ],
)
def test_what_cannot_be_paired(
    make_answer: MakeAnswer, base: range, candidate: range, why: str
) -> None:
    sides = [[make_answer(family, real=1) for family in side] for side in (base, candidate)]
    assert why in unpaired(*sides)


@pytest.mark.parametrize("side", [0, 1])
def test_an_unreachable_registry_cannot_be_paired(make_answer: MakeAnswer, side: int) -> None:
    sides = [[make_answer(family, real=4) for family in range(20)] for _ in range(2)]
    sides[side][:2] = [make_answer(family, real=3, unreachable=1) for family in range(2)]
    assert "could not be asked about 2% of the" in unpaired(*sides)


def test_one_name_in_fifty_may_go_unanswered(make_answer: MakeAnswer) -> None:
    reached = [make_answer(family, real=5) for family in range(20)]
    mostly = [make_answer(0, real=3, unreachable=2), *reached[1:]]
    assert unpaired(reached, mostly) == ""


def test_figures_are_paired_by_prompt_and_parted_by_context(make_answer: MakeAnswer) -> None:
    def answers(*real: int) -> list[Answer]:
        needs, code = real
        return [
            make_answer(1, real=needs, context=Context.NEEDS),
            make_answer(2, real=code, context=Context.CODE),
        ]

    pairs = paired(answers(1, 2), answers(3, 4)[::-1], lambda answer: float(len(answer.real)))
    assert sorted((pair.base, pair.candidate) for pair in pairs) == [(1, 3), (2, 4)]
    parts = by_context(pairs)
    assert [*parts] == [Context.CODE, Context.NEEDS]
    assert [(pair.base, pair.candidate) for pair in parts[Context.NEEDS]] == [(1, 3)]
