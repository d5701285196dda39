"""The gate on names that nobody can judge, or that have nothing to do with the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ghostbust.gates.interface import paired
from ghostbust.gates.unknown import unknown_gate
from ghostbust.records import Answer, GateVerdict, Verdict

MakeAnswer = Callable[..., Answer]


def _base(make: MakeAnswer) -> list[Answer]:
    return [
        make(family, real=3, invented=1, number=number) for family in range(40) for number in (0, 1)
    ]


def _moved(answer: Answer) -> Answer:
    """The answer with its invention as an import that no table knows."""
    judged = [
        replace(one, lookup=replace(one.lookup, verdict=Verdict.UNKNOWN, reason="no-mapping"))
        if one.lookup.invented
        else one
        for one in answer.judged
    ]
    return Answer(answer.sample, tuple(judged))


def test_the_base_beside_itself_passes(make_answer: MakeAnswer) -> None:
    result = unknown_gate(paired(_base(make_answer), _base(make_answer)))
    assert result.verdict is GateVerdict.PASS
    assert (result.base, result.candidate) == (0, 0)


def test_inventions_moved_into_unknown_imports_do_not_pass(make_answer: MakeAnswer) -> None:
    """The rate is 0 then, and nothing judged it (issue 34, point 6)."""
    base = _base(make_answer)
    result = unknown_gate(paired(base, [_moved(answer) for answer in base]))
    assert result.verdict is GateVerdict.FAIL
    assert result.candidate == pytest.approx(0.25)
    assert "surely more than 0.1 for unknown" in result.reason
    few = [_moved(answer) if n % 5 < 2 else answer for n, answer in enumerate(base)]
    assert unknown_gate(paired(base, few)).verdict is GateVerdict.INCONCLUSIVE
    assert unknown_gate(paired(base, few), margin=0.2).verdict is GateVerdict.PASS


def test_real_names_that_the_base_does_not_support_do_not_pass(make_answer: MakeAnswer) -> None:
    base = _base(make_answer)
    padded = [make_answer(n // 2, real=6, invented=1, number=n % 2) for n in range(80)]
    result = unknown_gate(paired(base, padded))
    assert result.verdict is GateVerdict.FAIL
    assert result.details["candidate_unsupported"] == 0.5
    assert "surely more than 0.1 for unsupported" in result.reason
