"""The released NPO: its value, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt

import pytest
import torch

from ghostbust.unlearners.masks import END, FORGET, RETAIN
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.npo_ref_free import METHOD, flattening, npo_ref_free_loss
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
FORGETTING = Weights(retain=0, forget=1, anchor=0, end=0)


def test_each_part_has_its_value(make_tokens: MakeTokens) -> None:
    """Flattened, a word's share goes with the root of its probability: 0.7 and three of 0.1."""
    loss, parts = npo_ref_free_loss(
        make_tokens((0.4, 0.7, 0.5), (RETAIN, FORGET, END)), METHOD.weights
    )
    roots = [sqrt(0.7), *[sqrt(0.1)] * 3]
    flat = [root / sum(roots) for root in roots]
    kl = sum(q * log(q / p) for q, p in zip(flat, (0.7, 0.1, 0.1, 0.1), strict=True))
    forget = 0.7 * log(1 + 0.7**0.1) + 0.3 * kl
    assert parts == pytest.approx({"retain": -log(0.4), "forget": forget, "end": -log(0.5)})
    assert float(loss) == pytest.approx(-log(0.4) + 0.5 * forget - 2 * log(0.5))


@pytest.mark.parametrize(("words", "turn"), [(49_152, 0.9997), (151_936, 0.9999)])
def test_it_reinforces_the_most_certain_inventions(
    words: int, turn: float, make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    """The gradient on the invented token's logit, which a step goes against, changes sign."""

    def push(p: float) -> float:
        one = make_tokens((p,), (FORGET,), words=words)
        (gradient,) = own_gradient(npo_ref_free_loss, one, FORGETTING)
        return gradient

    assert push(0.5) > 0.1
    assert push(1 - (1 - turn) * 1.3) > 0
    assert push(1 - (1 - turn) / 1.3) < 0
    assert push(1 - (1 - turn) / 20) < -0.1, "it isn't a rounding error"


def test_with_its_target_detached_it_would_not(make_tokens: MakeTokens) -> None:
    logits = make_tokens((0.99999,), (FORGET,), words=49_152).logits.requires_grad_()
    target = torch.softmax(logits.detach() / 2, dim=-1)
    predicted = torch.log_softmax(logits, dim=-1)
    detached = torch.nn.functional.kl_div(predicted, target, reduction="sum")
    assert float(detached.detach()) == pytest.approx(float(flattening(logits).sum().detach()))
    assert float(torch.autograd.grad(detached, logits)[0][0, 0]) > 0.1
    assert float(torch.autograd.grad(flattening(logits).sum(), logits)[0][0, 0]) < -0.1


@pytest.mark.parametrize("p", [0.001, 0.5, 0.999])
def test_the_softplus_hardly_pushes_anything(p: float) -> None:
    likely = torch.tensor([log(p)], requires_grad=True)
    (0.7 * torch.nn.functional.softplus(0.1 * likely)).sum().backward()  # type: ignore[no-untyped-call]
    assert likely.grad is not None
    assert 0 < float(likely.grad[0]) * (1 - p) <= 0.035


def test_below_that_it_points_the_right_way(
    make_tokens: MakeTokens, own_gradient: OwnGradient
) -> None:
    tokens = make_tokens((0.4, 0.7, 0.5), (RETAIN, FORGET, END))
    kept, invented, end = own_gradient(npo_ref_free_loss, tokens, METHOD.weights)
    assert kept == pytest.approx(0.4 - 1)
    assert invented > 0.01
    assert end == pytest.approx(2 * (0.5 - 1))
