"""Plain unlikelihood: likelihood of the one, unlikelihood of the other, and no more."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest

from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.unlikelihood import METHOD, unlikelihood_loss

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
MASK = (RETAIN, RETAIN, FORGET, IGNORE)
P = (0.4, 0.2, 0.7, 0.3)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    loss, parts = unlikelihood_loss(make_tokens(P, MASK), METHOD.weights)
    kept = -(log(0.4) + log(0.2)) / 2
    assert parts == pytest.approx({"retain": kept, "forget": -log(0.3)})
    assert float(loss) == pytest.approx(kept - log(0.3))


def test_the_gradient_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    pushes = own_gradient(unlikelihood_loss, make_tokens(P, MASK), METHOD.weights)
    assert pushes == pytest.approx([(0.4 - 1) / 2, (0.2 - 1) / 2, 0.7, 0], abs=1e-6)
