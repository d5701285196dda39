"""What comes in the place of an invention, against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ghostbust.unlearners.masks import BARE, FORGET, FORK, IGNORE, RETAIN
from ghostbust.unlearners.methods import au_repair
from ghostbust.unlearners.methods.au_heard import METHOD, heard_loss
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
P, MASK, BASE = (0.4, 0.7, 0.5, 0.2), (RETAIN, FORGET, IGNORE, FORK), (0.1, 0.3, 0.5, 0.6)


def test_forks_are_a_part_of_their_own(make_tokens: MakeTokens) -> None:
    loss, parts = heard_loss(
        make_tokens(P, MASK, base=BASE), Weights(retain=2.0, forget=3.0, anchor=5.0, fork=7.0)
    )
    assert parts["fork"] == pytest.approx(-math.log(0.2))
    forget = 0.7 * -math.log(0.3)
    assert float(loss) == pytest.approx(2 * -math.log(0.4) + 3 * forget + 7 * -math.log(0.2))


def test_without_forks_it_is_the_objective_of_au_repair(make_tokens: MakeTokens) -> None:
    tokens = make_tokens(P, (RETAIN, FORGET, IGNORE, RETAIN), base=BASE)
    loss, parts = heard_loss(tokens, METHOD.weights)
    other, others = au_repair.au_loss(tokens, METHOD.weights)
    assert float(loss) == float(other)
    assert parts == others | {"fork": 0.0, "bare": 0.0}


def test_bare_code_is_kept_apart_from_other_text(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """λ_b · KL(base ‖ model), of which the gradient on a token's own logit is p - p_base."""
    weights = Weights(forget=3.0, anchor=5.0, bare=7.0)
    tokens = make_tokens((0.4, 0.7, 0.2), (IGNORE, FORGET, BARE), base=(0.4, 0.3, 0.6))
    loss, parts = heard_loss(tokens, weights)
    apart = 0.6 * math.log(0.6 / 0.2) + 0.4 * math.log(0.4 / 0.8)
    assert parts["bare"] == pytest.approx(apart, rel=1e-5)
    assert parts["anchor"] == pytest.approx(0, abs=1e-6)
    assert float(loss) == pytest.approx(3 * 0.7 * -math.log(0.3) + 7 * apart, rel=1e-5)
    assert own_gradient(heard_loss, tokens, weights)[2] == pytest.approx(7 * (0.2 - 0.6), rel=1e-4)


def test_what_the_invention_loses_goes_to_what_came_in_its_place(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """Of the same order: λ_t (1 - p) up, λ_f (1 - p_base) p down."""
    real, invented, _, fork = own_gradient(
        heard_loss, make_tokens(P, MASK, base=BASE), METHOD.weights
    )
    assert invented == pytest.approx(4 * 0.7 * 0.7, rel=1e-4)
    assert fork == pytest.approx(-2 * (1 - 0.2), rel=1e-4)
    assert real == pytest.approx(-(1 - 0.4), rel=1e-4)
