from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import paired
from ghostbust.records import Answer, Context, GateVerdict

MakeAnswer = Callable[..., Answer]


def _answers(make: MakeAnswer, invented: list[int], real: int = 3) -> list[Answer]:
    """One answer a family, with so many invented names each."""
    return [make(family, invented=n, real=real) for family, n in enumerate(invented)]


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        ([1] * 40, [1] * 4 + [0] * 36, GateVerdict.PASS, "a drop of 87.1%, at least 69% fewer"),
        # Nothing is left to vary, but 40 inventions that became none don't show 100 %.
        ([1] * 40, [0] * 40, GateVerdict.PASS, "a drop of 100.0%, at least 90% fewer"),
        ([1] * 40, [1] * 40, GateVerdict.FAIL, "a drop of 0.0%, at most 0% fewer"),
        ([1] * 40, [2] * 40, GateVerdict.FAIL, "at most -60% fewer"),
        ([1] * 40, [1] * 20 + [0] * 20, GateVerdict.INCONCLUSIVE, "more prompts would tell"),
        # The drop is over a half, but not surely: by points it would pass.
        ([1] * 40, [1] * 16 + [0] * 24, GateVerdict.INCONCLUSIVE, "a drop of 52.9%"),
        # Nearly all inventions gone, but they sat in one family: nothing sure.
        ([0] * 39 + [40], [0] * 39 + [2], GateVerdict.INCONCLUSIVE, "more prompts would tell"),
    ],
)
def test_verdicts(
    make_answer: MakeAnswer, before: list[int], after: list[int], verdict: GateVerdict, why: str
) -> None:
    base, candidate = _answers(make_answer, before), _answers(make_answer, after)
    result = rate_gate(paired(base, candidate))
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == pytest.approx(sum(before) / (sum(before) + 120))
    assert result.candidate == pytest.approx(sum(after) / (sum(after) + 120))


def test_silence_in_one_context_is_no_drop(make_answer: MakeAnswer) -> None:
    """Pooled, leaving out the context that invents most gave a drop of 0.24 (issue 34, point 5)."""

    def answers(helps: int) -> list[Answer]:
        return [
            one
            for family in range(40)
            for one in (
                make_answer(family, real=3, invented=family % 2),
                make_answer(family, real=helps, invented=helps, context=Context.HELPS),
            )
        ]

    base = answers(1)
    silent = rate_gate(paired(base, answers(0)))
    assert silent.details["drop"] == pytest.approx(0)
    assert silent.verdict is GateVerdict.FAIL


def test_bounds_are_over_families_not_answers(make_answer: MakeAnswer) -> None:
    rng = np.random.default_rng(3)
    before, after = rng.integers(0, 4, (2, 30)).tolist()
    once = rate_gate(paired(_answers(make_answer, before), _answers(make_answer, after)))
    copied = rate_gate(paired(_answers(make_answer, before) * 4, _answers(make_answer, after) * 4))
    assert copied.ci == pytest.approx(once.ci)
    assert copied.details["answers"] == 120


def test_the_order_of_the_answers_does_not_matter(make_answer: MakeAnswer) -> None:
    rng = np.random.default_rng(4)
    before, after = rng.integers(0, 4, (2, 30)).tolist()
    base, candidate = _answers(make_answer, before), _answers(make_answer, after)
    assert rate_gate(paired(base, candidate[::-1])) == rate_gate(paired(base, candidate))


def test_margin_is_configurable(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [2] * 40)
    candidate = _answers(make_answer, [1] * 40)  # 0.40 -> 0.25: a drop of 37.5 %
    assert rate_gate(paired(base, candidate)).verdict is GateVerdict.FAIL
    assert rate_gate(paired(base, candidate), min_drop=0.3).verdict is GateVerdict.PASS


def test_too_few_names_are_inconclusive(make_answer: MakeAnswer) -> None:
    base = _answers(make_answer, [1] * 12)
    result = rate_gate(paired(base, _answers(make_answer, [0] * 12)))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert result.reason == "too few names: the base names 48, needs 50"
    assert rate_gate(paired(base, _answers(make_answer, [0] * 12)), min_refs=48).verdict is (
        GateVerdict.PASS
    )


def test_a_base_without_inventions_is_inconclusive(make_answer: MakeAnswer) -> None:
    result = rate_gate(paired(_answers(make_answer, [0] * 40), _answers(make_answer, [0] * 40)))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "the base invents nothing" in result.reason


def test_a_candidate_that_names_nothing_does_not_pass(make_answer: MakeAnswer) -> None:
    silent = _answers(make_answer, [0] * 40, real=0)
    result = rate_gate(paired(_answers(make_answer, [1] * 40), silent))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "the candidate names nothing" in result.reason
