from __future__ import annotations

from collections.abc import Callable

import pytest

from ghostbust.gates.volume import volume_gate
from ghostbust.records import Answer, Context, GateVerdict

MakeAnswer = Callable[..., Answer]


def _answers(make: MakeAnswer, real: list[int]) -> list[Answer]:
    """One answer a family, with so many real names each."""
    return [make(family, real=n, invented=1) for family, n in enumerate(real)]


def _in_two_contexts(make: MakeAnswer, code: int, needs: int) -> list[Answer]:
    return [
        make(family, real=names, context=context)
        for family in range(20)
        for context, names in ((Context.CODE, code), (Context.NEEDS, needs))
    ]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        ([4] * 40, [4] * 40, GateVerdict.PASS, "a ratio of 1.00 [1.00, 1.00], within the band"),
        ([5] * 40, [4] * 40, GateVerdict.PASS, "a ratio of 0.80"),
        ([4] * 40, [5] * 40, GateVerdict.PASS, "a ratio of 1.25"),
        ([4] * 40, [0] * 40, GateVerdict.FAIL, "a ratio of 0.00"),
        ([4] * 40, [14] * 40, GateVerdict.FAIL, "a ratio of 3.50 [3.50, 3.50], outside the band"),
        ([4] * 40, [3] * 40, GateVerdict.FAIL, "a ratio of 0.75"),
        # In the band, but one family holds half of the names.
        ([1] * 39 + [40], [2] * 39 + [1], GateVerdict.INCONCLUSIVE, "too uncertain"),
        # Outside of the band by what one family does.
        ([4] * 40, [4] * 39 + [60], GateVerdict.INCONCLUSIVE, "not surely"),
    ],
)
def test_verdicts(
    make_answer: MakeAnswer, before: list[int], after: list[int], verdict: GateVerdict, why: str
) -> None:
    base, candidate = _answers(make_answer, before), _answers(make_answer, after)
    result = volume_gate(base, candidate, seed=0)
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == sum(before) / 40
    assert result.candidate == sum(after) / 40
    assert result.details["ratio"] == sum(after) / sum(before)


def test_the_band_is_configurable(make_answer: MakeAnswer) -> None:
    base, candidate = _answers(make_answer, [4] * 40), _answers(make_answer, [3] * 40)
    assert volume_gate(base, candidate, low=0.7, seed=0).verdict is GateVerdict.PASS


def test_each_context_is_reported(make_answer: MakeAnswer) -> None:
    result = volume_gate(
        _in_two_contexts(make_answer, 4, 0), _in_two_contexts(make_answer, 2, 2), seed=0
    )
    assert result.verdict is GateVerdict.PASS
    assert result.details["ratio_code"] == 0.5
    assert result.details["ratio_needs"] == "0 -> 40 names"
    assert "ratio_helps" not in result.details


def test_a_context_that_falls_silent_fails_though_another_makes_up_for_it(
    make_answer: MakeAnswer,
) -> None:
    base = _in_two_contexts(make_answer, 4, 4)
    hidden = _in_two_contexts(make_answer, 7, 1)
    result = volume_gate(base, hidden, seed=0)
    assert result.details["ratio"] == 1.0
    assert result.verdict is GateVerdict.FAIL
    assert "needs at 0.25: surely outside 0.5 to 2" in result.reason
    assert volume_gate(base, hidden, context_low=0.2, seed=0).verdict is GateVerdict.PASS
    padded = _in_two_contexts(make_answer, 1, 9)
    result = volume_gate(base, padded, low=0.3, high=3, context_low=0.1, seed=0)
    assert result.verdict is GateVerdict.PASS  # no narrower than the band of all together


def test_a_context_decides_only_where_it_is_sure(make_answer: MakeAnswer) -> None:
    base = _in_two_contexts(make_answer, 9, 0)
    base[1] = make_answer(0, real=9, context=Context.NEEDS)  # one family's names alone
    after = _in_two_contexts(make_answer, 9, 0)
    assert volume_gate(base, after, seed=0).details["ratio_needs"] == 0
    assert volume_gate(base, after, seed=0).verdict is GateVerdict.PASS


def test_invented_names_are_no_volume(make_answer: MakeAnswer) -> None:
    base = [make_answer(family, real=4) for family in range(20)]
    inventive = [make_answer(family, real=4, invented=9) for family in range(20)]
    assert volume_gate(base, inventive, seed=0).details["ratio"] == 1.0


def test_a_base_that_names_next_to_nothing_is_inconclusive(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [4] * 9 + [0] * 31)
    result = volume_gate(base, base, seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "real packages in 9 prompt families, needs 10" in result.reason


def test_answers_that_cannot_be_paired_are_inconclusive(make_answer: MakeAnswer) -> None:
    result = volume_gate(_answers(make_answer, [4] * 40), [], seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert result.reason == "not run: 40 answers of the base, 0 of the candidate"
