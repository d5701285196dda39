"""Gradient ascent, and where it fails."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest

from ghostbust.unlearners.masks import END, FORGET, IGNORE, RETAIN
from ghostbust.unlearners.methods.ga import METHOD, ga_loss
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
FORGETTING = Weights(retain=0, forget=1, anchor=0, end=0)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    tokens = make_tokens((0.4, 0.7, 0.1, 0.3, 0.5), (RETAIN, FORGET, FORGET, IGNORE, END))
    loss, parts = ga_loss(tokens, METHOD.weights)
    likely = (log(0.7) + log(0.1)) / 2
    assert parts == pytest.approx({"retain": -log(0.4), "forget": likely, "end": -log(0.5)})
    assert float(loss) == pytest.approx(-log(0.4) + 0.5 * likely - 2 * log(0.5))


def test_the_gradient_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    tokens = make_tokens((0.4, 0.7, 0.3, 0.5), (RETAIN, FORGET, IGNORE, END))
    pushes = own_gradient(ga_loss, tokens, METHOD.weights)
    assert pushes == pytest.approx([0.4 - 1, 0.5 * (1 - 0.7), 0, 2 * (0.5 - 1)], abs=1e-6)


def test_it_hardly_pushes_what_is_certain_and_never_rests(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """Known failures: 1 − p at the top, 1 at the bottom, and no bound below."""
    p = (0.9999, 0.5, 1e-6, 1e-30)
    for one, push in zip(p, (0.0001, 0.5, 1, 1), strict=True):
        alone = make_tokens((one,), (FORGET,))
        assert own_gradient(ga_loss, alone, FORGETTING) == pytest.approx([push], abs=1e-5)
    lowest, _ = ga_loss(make_tokens((1e-30,), (FORGET,)), FORGETTING)
    assert float(lowest) == pytest.approx(-30 * log(10), rel=1e-4)
