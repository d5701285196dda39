"""The gate on faults: what it lets through, what it stops, and what it can't say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ghostbust.answer_faults import faults_of
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.interface import paired
from ghostbust.records import Answer, Context, GateVerdict

MakeAnswer = Callable[..., Answer]
SOUND, BARE, LOOP = "1. requests\n", "```", "1. requests\n" + "and so on it goes " * 9


def _answers(
    make: MakeAnswer, texts: Sequence[str], context: Context = Context.HELPS
) -> list[Answer]:
    """One answer a family."""
    made = [make(family, real=1, context=context) for family in range(len(texts))]
    return [
        replace(answer, sample=replace(answer.sample, text=text))
        for answer, text in zip(made, texts, strict=True)
    ]


def test_the_texts_have_the_faults_that_they_should(make_answer: MakeAnswer) -> None:
    answers = _answers(make_answer, [SOUND, BARE, LOOP, ""])
    assert [faults_of(one) for one in answers] == [(), ("malformed",), ("looping",), ("empty",)]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        ([SOUND] * 40, [SOUND] * 40, GateVerdict.PASS, "a rise of +0.000, at most 0.0% more"),
        ([BARE] * 40, [SOUND] * 40, GateVerdict.PASS, "a rise of -1.000"),
        ([BARE] * 9 + [SOUND] * 31, [""] * 9 + [SOUND] * 31, GateVerdict.PASS, "+0.000"),
        ([SOUND] * 40, [SOUND] * 20 + [BARE] * 20, GateVerdict.FAIL, "surely more than 0.1 in hel"),
        ([SOUND] * 40, [SOUND] * 20 + [LOOP] * 20, GateVerdict.FAIL, "surely more than 0.1 in hel"),
        ([SOUND] * 40, [SOUND] * 34 + [""] * 6, GateVerdict.INCONCLUSIVE, "not surely"),
        ([SOUND] * 40, [SOUND] * 37 + [BARE] * 3, GateVerdict.INCONCLUSIVE, "not surely within"),
    ],
)
def test_verdicts(
    make_answer: MakeAnswer,
    before: list[str],
    after: list[str],
    verdict: GateVerdict,
    why: str,
) -> None:
    result = faults_gate(paired(_answers(make_answer, before), _answers(make_answer, after)))
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == (40 - before.count(SOUND)) / 40
    assert result.candidate == (40 - after.count(SOUND)) / 40


def test_one_context_fails_though_the_others_hide_it(make_answer: MakeAnswer) -> None:
    def answers(needs: str, helps: str) -> list[Answer]:
        return _answers(make_answer, [needs] * 20, Context.NEEDS) + _answers(
            make_answer, [helps] * 20
        )

    result = faults_gate(paired(answers(SOUND, BARE), answers(BARE, SOUND)))
    assert result.details["rise"] == 0
    assert result.details["rise_needs"] == 1
    assert "rise_code" not in result.details
    assert result.verdict is GateVerdict.FAIL
    assert "surely more than 0.1 in needs" in result.reason


def test_the_margin_is_configurable(make_answer: MakeAnswer) -> None:
    base, after = (
        _answers(make_answer, [SOUND] * 40),
        _answers(make_answer, [SOUND] * 36 + [BARE] * 4),
    )
    assert faults_gate(paired(base, after), margin=0.3).verdict is GateVerdict.PASS
    assert faults_gate(paired(base, after), margin=0.01).verdict is GateVerdict.FAIL
