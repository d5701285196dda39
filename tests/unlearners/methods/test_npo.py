"""NPO: answer-level log-ratios to the base."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import pytest

from ghostbust.unlearners.masks import END, FORGET, IGNORE, RETAIN
from ghostbust.unlearners.methods.ga import ga_loss
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.npo import BETA, METHOD, npo_loss
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
FORGETTING = Weights(retain=0, forget=1, anchor=0, end=0)
MASK = (FORGET, RETAIN, FORGET, FORGET, END)
ANSWER = (0, 0, 1, 1, 2)
P, BASE = (0.7, 0.4, 0.5, 0.1, 0.5), (0.8, 0.9, 0.25, 0.3, 0.9)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    """Ratios of answer 0: 0.7/0.8; of answer 1: 0.5/0.25 · 0.1/0.3; answer 2 forgets nothing."""
    loss, parts = npo_loss(make_tokens(P, MASK, base=BASE, answer=ANSWER), METHOD.weights)
    forget = sum((2 / 0.1) * log(1 + ratio**0.1) for ratio in (0.7 / 0.8, 2 / 3)) / 2
    assert parts == pytest.approx({"retain": -log(0.4), "forget": forget, "end": -log(0.5)})
    assert float(loss) == pytest.approx(-log(0.4) + 0.5 * forget - 2 * log(0.5))


def test_the_gradient_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    tokens = make_tokens(P, MASK, base=BASE, answer=ANSWER)
    pushes = own_gradient(npo_loss, tokens, METHOD.weights)

    def weight(ratio: float) -> float:
        odds = float(ratio**BETA)
        return 0.5 * 2 * odds / (1 + odds) / 2  # λ, and one of two answers

    first, second = weight(0.7 / 0.8), weight(2 / 3)
    expected = [first * 0.3, 0.4 - 1, second * 0.5, second * 0.9, 2 * (0.5 - 1)]
    assert pushes == pytest.approx(expected, abs=1e-6)


def test_at_the_base_it_is_gradient_ascent_summed_over_the_answer(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """So it shares a known failure: what the model is certain of is hardly pushed."""
    p = (0.9999, 0.6, 0.2)
    at_base = make_tokens(p, (FORGET,) * 3, base=p)
    pushes = own_gradient(npo_loss, at_base, FORGETTING)
    assert pushes == pytest.approx([1 - one for one in p], abs=1e-5)
    ascent = own_gradient(ga_loss, at_base, FORGETTING)
    assert pushes == pytest.approx([3 * push for push in ascent], abs=1e-5)


def test_what_has_fallen_far_lets_the_rest_of_its_answer_go(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    fallen = make_tokens((0.6 * exp(-40), 0.6), (FORGET, FORGET), base=(0.6, 0.6))
    _, push = own_gradient(npo_loss, fallen, FORGETTING)
    assert push == pytest.approx(2 / (1 + exp(4)) * (1 - 0.6), rel=1e-3)
    apart = make_tokens((0.6 * exp(-40), 0.6), (FORGET,) * 2, base=(0.6,) * 2, answer=(0, 1))
    assert own_gradient(npo_loss, apart, FORGETTING)[1] == pytest.approx(0.5 * (1 - 0.6), rel=1e-3)


def test_the_base_is_read_at_forget_tokens_only(make_tokens: MakeTokens) -> None:
    mask = (FORGET, RETAIN, IGNORE)
    one = make_tokens((0.5,) * 3, mask, base=(0.5, 0.1, 0.1))
    other = make_tokens((0.5,) * 3, mask, base=(0.5, 0.9, 0.9))
    assert float(npo_loss(one, METHOD.weights)[0]) == float(npo_loss(other, METHOD.weights)[0])
