"""The hybrid, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest

from ghostbust.unlearners.masks import END, FORGET, IGNORE, RETAIN
from ghostbust.unlearners.methods.au import METHOD, au_loss
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
MASK = (RETAIN, RETAIN, FORGET, IGNORE, END)
P = (0.4, 0.2, 0.7, 0.3, 0.5)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    loss, parts = au_loss(make_tokens(P, MASK), METHOD.weights)
    assert parts == pytest.approx(
        {
            "retain": -(log(0.4) + log(0.2)) / 2,
            "forget": -log(1 - 0.7),
            "end": -log(0.5),
        }
    )
    assert float(loss) == pytest.approx(-(log(0.4) + log(0.2)) / 2 - 0.5 * log(0.3) - 2 * log(0.5))


def test_the_gradient_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """∂/∂z is p − 1 of a likelihood and p of an unlikelihood, times λ and share."""
    pushes = own_gradient(au_loss, make_tokens(P, MASK), METHOD.weights)
    expected = [(0.4 - 1) / 2, (0.2 - 1) / 2, 0.5 * 0.7, 0, 2 * (0.5 - 1)]
    assert pushes == pytest.approx(expected, abs=1e-6)


def test_the_most_certain_invention_is_pushed_hardest(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    certain = make_tokens((0.5, 0.9, 1 - 1e-7), (FORGET,) * 3)
    pushes = own_gradient(au_loss, certain, Weights(retain=0, forget=3, end=0))
    assert pushes == pytest.approx([0.5, 0.9, 1.0], abs=1e-5)
