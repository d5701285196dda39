"""SimNPO: length-normalised log-likelihoods of answers, without a reference."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log

import pytest
import torch

from ghostbust.unlearners.masks import END, FORGET, RETAIN
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.simnpo import METHOD, dispreferred, simnpo_loss
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
FORGETTING = Weights(retain=0, forget=1, anchor=0, end=0)
MASK = (FORGET, RETAIN, FORGET, FORGET, END)
ANSWER = (0, 0, 1, 1, 2)
P = (0.7, 0.4, 0.5, 0.1, 0.5)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    """β times the mean log-likelihood: answer 0 of 0.7, answer 1 of 0.5 and 0.1."""
    loss, parts = simnpo_loss(make_tokens(P, MASK, answer=ANSWER), METHOD.weights)
    forget = sum((2 / 2.5) * log(1 + p ** (2.5 / n)) for p, n in ((0.7, 1), (0.05, 2))) / 2
    assert parts == pytest.approx({"retain": -log(0.4), "forget": forget, "end": -log(0.5)})
    assert float(loss) == pytest.approx(-log(0.4) + 0.5 * forget - 2 * log(0.5))


@pytest.mark.parametrize("gamma", [0.0, 3.0])
def test_the_margin_lets_it_go_on_at_lower_likelihoods(gamma: float) -> None:
    """−(2/β) · log σ(−β · x − γ), and its slope 2 · σ(β · x + γ)."""
    average = torch.tensor([-4.0, -0.1], requires_grad=True)
    values = dispreferred(average, 0.7, gamma)
    values.sum().backward()  # type: ignore[no-untyped-call]
    places = [(0.7 * x + gamma) for x in (-4.0, -0.1)]
    assert values.tolist() == pytest.approx([-(2 / 0.7) * log(1 / (1 + exp(u))) for u in places])
    assert average.grad is not None
    assert average.grad.tolist() == pytest.approx([2 / (1 + exp(-u)) for u in places])


def test_the_gradient_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    pushes = own_gradient(simnpo_loss, make_tokens(P, MASK, answer=ANSWER), METHOD.weights)

    def weight(p: float, n: int) -> float:
        odds = float(p ** (2.5 / n))
        return 0.5 / 2 * (2 / n) * odds / (1 + odds)  # λ, one of two answers

    first, second = weight(0.7, 1), weight(0.05, 2)
    expected = [first * 0.3, 0.4 - 1, second * 0.5, second * 0.9, 2 * (0.5 - 1)]
    assert pushes == pytest.approx(expected, abs=1e-6)


def test_certain_inventions_and_long_names_are_hardly_pushed(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """Known failures: 1 − p as in gradient ascent, and a name's tokens share one push."""
    assert own_gradient(simnpo_loss, make_tokens((0.9999,), (FORGET,)), FORGETTING)[0] < 2e-4
    short = make_tokens((0.7,), (FORGET,))
    long = make_tokens((0.7, *(0.9999,) * 7), (FORGET,) * 8)
    assert (
        own_gradient(simnpo_loss, long, FORGETTING)[0]
        < own_gradient(simnpo_loss, short, FORGETTING)[0] / 4
    )
