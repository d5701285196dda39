"""The gate on volume: supported names are shown not to be fewer, names in all not to be more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ghostbust.gates.interface import Look, paired
from ghostbust.gates.volume import volume_gate
from ghostbust.records import Answer, Context, GateVerdict

MakeAnswer = Callable[..., Answer]
SAMPLES = 2


def _answers(
    make: MakeAnswer, real: Sequence[int], invented: int = 1, context: Context = Context.CODE
) -> list[Answer]:
    """Two answers a family that name the same, so the base supports all of its names."""
    return [
        make(family, real=n, invented=invented, context=context, number=number)
        for family, n in enumerate(real)
        for number in range(SAMPLES)
    ]


def _in_two_contexts(make: MakeAnswer, code: int, needs: int) -> list[Answer]:
    return _answers(make, [code] * 20) + _answers(make, [needs] * 20, context=Context.NEEDS)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        ([4] * 40, [4] * 40, GateVerdict.PASS, "at most 0% fewer supported names, at most 0% more"),
        ([4] * 40, [0] * 40, GateVerdict.FAIL, "supported names 0.00 of the base's (at most 0.00)"),
        ([4] * 40, [3] * 40, GateVerdict.FAIL, "supported names 0.75 of the base's"),
        # By points 0.94, but 0.86 can't be ruled out.
        ([4] * 40, [4] * 35 + [2] * 5, GateVerdict.INCONCLUSIVE, "(at least 0.89)"),
        # What the base doesn't name for the prompt is not supported, only more.
        ([4] * 40, [5] * 40, GateVerdict.FAIL, "all names 1.20 of the base's (at least 1.20)"),
    ],
)
def test_verdicts(
    make_answer: MakeAnswer, before: list[int], after: list[int], verdict: GateVerdict, why: str
) -> None:
    result = volume_gate(paired(_answers(make_answer, before), _answers(make_answer, after)))
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == sum(before) / 40
    assert result.candidate == sum(map(min, before, after)) / 40
    assert result.details["support"] == SAMPLES - 1


def test_a_famous_name_in_the_place_of_a_supported_one_is_a_loss(make_answer: MakeAnswer) -> None:
    """Issue 34, point 3: the rate and real names per answer both looked better."""
    base = _answers(make_answer, [1] * 40, invented=1)
    other = [make_answer(99, real=3).judged[-1] for _ in range(1)]
    famous = [Answer(answer.sample, tuple(other)) for answer in base]
    result = volume_gate(paired(base, famous))
    assert result.verdict is GateVerdict.FAIL
    assert result.candidate == 0


def test_inventions_that_are_dropped_or_replaced_do_not_matter(make_answer: MakeAnswer) -> None:
    """A base of five names, two of them invented, may become three real ones (point 2)."""
    base = _answers(make_answer, [3] * 40, invented=2)
    dropped = volume_gate(paired(base, _answers(make_answer, [3] * 40, invented=0)))
    assert (dropped.verdict, dropped.details["ratio"]) == (GateVerdict.PASS, 1)
    assert dropped.details["all_ratio"] == pytest.approx(0.6)
    replaced = volume_gate(paired(base, _answers(make_answer, [5] * 40, invented=0)))
    assert (replaced.verdict, replaced.details["ratio"]) == (GateVerdict.PASS, 1)


def test_the_limits_and_the_look_are_the_callers(make_answer: MakeAnswer) -> None:
    base, fewer = _answers(make_answer, [4] * 40), _answers(make_answer, [3] * 40)
    assert volume_gate(paired(base, fewer), low=0.7).verdict is GateVerdict.PASS
    unsure = _answers(make_answer, [4] * 37 + [2] * 3)
    assert volume_gate(paired(base, unsure)).verdict is GateVerdict.PASS
    late = volume_gate(paired(base, unsure), look=Look(0.05, 20, spends=True))
    assert late.verdict is GateVerdict.INCONCLUSIVE
    assert late.details["look"] == 20


def test_a_context_that_loses_names_fails_though_another_makes_up_for_it(
    make_answer: MakeAnswer,
) -> None:
    base = _in_two_contexts(make_answer, 2, 8)
    hidden = _in_two_contexts(make_answer, 1, 8)
    result = volume_gate(paired(base, hidden))
    assert result.details["ratio"] == 0.9
    assert result.details["ratio_code"] == 0.5
    assert "ratio_helps" not in result.details
    assert result.verdict is GateVerdict.FAIL
    assert "supported names in code 0.50 of the base's" in result.reason
    assert volume_gate(paired(base, hidden), context_low=0.5).verdict is GateVerdict.PASS


def test_a_context_with_too_few_names_decides_nothing_and_is_named(
    make_answer: MakeAnswer,
) -> None:
    base = _in_two_contexts(make_answer, 9, 0)
    base += _answers(make_answer, [9], context=Context.HELPS)
    result = volume_gate(paired(base, base))
    assert result.verdict is GateVerdict.PASS
    assert "too few supported names of the base to judge needs and helps" in result.reason


def test_one_answer_a_prompt_supports_nothing(make_answer: MakeAnswer) -> None:
    once = [make_answer(family, real=4) for family in range(20)]
    result = volume_gate(paired(once, once))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "one answer to a prompt" in result.reason


def test_a_base_that_names_next_to_nothing_is_inconclusive(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [4] * 9 + [0] * 31)
    result = volume_gate(paired(base, base))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "supported names in 9 prompt families, needs 10" in result.reason
