from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ghostbust.gates.hallucination import rate_gate
from ghostbust.records import Answer, GateVerdict

MakeAnswer = Callable[..., Answer]


def _answers(make: MakeAnswer, invented: list[int], real: int = 3) -> list[Answer]:
    """One answer a family, with so many invented names each."""
    return [make(family, invented=n, real=real) for family, n in enumerate(invented)]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        ([1] * 40, [1] * 4 + [0] * 36, GateVerdict.PASS, "at least 50%"),
        ([1] * 40, [0] * 40, GateVerdict.PASS, "a drop of 100.0%"),
        ([1] * 40, [1] * 40, GateVerdict.FAIL, "a drop of 0.0% [0.0%, 0.0%], surely less than 50%"),
        ([1] * 40, [2] * 40, GateVerdict.FAIL, "surely less"),
        ([1] * 40, [1] * 20 + [0] * 20, GateVerdict.INCONCLUSIVE, "too wide"),
        # Half of all inventions gone, but they sat in one family: nothing sure.
        ([0] * 39 + [40], [0] * 39 + [10], GateVerdict.INCONCLUSIVE, "too wide"),
    ],
)
def test_verdicts(
    make_answer: MakeAnswer, before: list[int], after: list[int], verdict: GateVerdict, why: str
) -> None:
    base, candidate = _answers(make_answer, before), _answers(make_answer, after)
    result = rate_gate(base, candidate, seed=0)
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == pytest.approx(sum(before) / (sum(before) + 120))
    assert result.candidate == pytest.approx(sum(after) / (sum(after) + 120))


def test_the_interval_is_drawn_over_families_not_answers(make_answer: MakeAnswer) -> None:
    rng = np.random.default_rng(3)
    before, after = rng.integers(0, 4, (2, 30)).tolist()
    once = rate_gate(_answers(make_answer, before), _answers(make_answer, after), seed=0)
    copied = rate_gate(_answers(make_answer, before) * 4, _answers(make_answer, after) * 4, seed=0)
    assert copied.ci == pytest.approx(once.ci)
    assert copied.details["answers"] == 120


def test_the_order_of_the_answers_does_not_matter(make_answer: MakeAnswer) -> None:
    rng = np.random.default_rng(4)
    before, after = rng.integers(0, 4, (2, 30)).tolist()
    base, candidate = _answers(make_answer, before), _answers(make_answer, after)
    assert rate_gate(base, candidate[::-1], seed=0) == rate_gate(base, candidate, seed=0)


def test_margin_is_configurable(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [2] * 40)
    candidate = _answers(make_answer, [1] * 40)  # 0.40 -> 0.25: a drop of 37.5 %
    assert rate_gate(base, candidate, seed=0).verdict is GateVerdict.FAIL
    assert rate_gate(base, candidate, min_drop=0.3, seed=0).verdict is GateVerdict.PASS


def test_too_few_names_are_inconclusive(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [1] * 12)
    result = rate_gate(base, _answers(make_answer, [0] * 12), seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert result.reason == "too few names: the base names 48, needs 50"
    assert rate_gate(base, _answers(make_answer, [0] * 12), min_refs=48, seed=0).verdict is (
        GateVerdict.PASS
    )


def test_a_base_without_inventions_is_inconclusive(make_answer: MakeAnswer) -> None:
    result = rate_gate(_answers(make_answer, [0] * 40), _answers(make_answer, [0] * 40), seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "the base invents nothing" in result.reason


def test_a_candidate_that_names_nothing_does_not_pass(make_answer: MakeAnswer) -> None:
    silent = _answers(make_answer, [0] * 40, real=0)
    result = rate_gate(_answers(make_answer, [1] * 40), silent, seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "the candidate names nothing" in result.reason


def test_answers_that_cannot_be_paired_are_inconclusive(make_answer: MakeAnswer) -> None:
    result = rate_gate(_answers(make_answer, [1] * 40), _answers(make_answer, [0] * 39), seed=0)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "didn't answer the same prompts" in result.reason
