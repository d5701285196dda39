"""The objective, against numbers worked out by hand: three tokens, four words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN
from ghostbust.unlearners.methods.au_repair import au_loss
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.terms import unlikelihood
from ghostbust.unlearners.settings import Weights

P = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
BASE = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.1, 0.1, 0.1, 0.7], [0.5, 0.2, 0.2, 0.1]])
TARGETS = (3, 0, 1)
ALL = Weights(retain=1.0, forget=1.0, anchor=1.0)


def tokens(
    mask: tuple[int, ...] = (RETAIN, FORGET, IGNORE),
    *,
    logits: torch.Tensor | None = None,
    base: torch.Tensor = BASE,
    share: tuple[float, ...] = (1.0, 1.0, 1.0),
) -> Tokens:
    return Tokens(
        logits=P.log() if logits is None else logits,
        base_logits=base.log(),
        targets=torch.tensor(TARGETS),
        mask=torch.tensor(mask),
        share=torch.tensor(share),
        answer=torch.zeros(len(mask), dtype=torch.long),
        answer_share=torch.ones(1),
    )


KL = sum(b * math.log(b / 0.25) for b in (0.5, 0.2, 0.2, 0.1))


def test_each_part_has_its_value() -> None:
    loss, parts = au_loss(tokens(), Weights(retain=2.0, forget=3.0, anchor=5.0))
    assert parts["retain"] == pytest.approx(-math.log(0.4))
    assert parts["forget"] == pytest.approx(-0.9 * math.log(1 - 0.7))
    assert parts["anchor"] == pytest.approx(KL)
    assert float(loss) == pytest.approx(-2 * math.log(0.4) - 3 * 0.9 * math.log(0.3) + 5 * KL)


def test_a_token_counts_by_its_share_of_its_class() -> None:
    _, parts = au_loss(tokens((RETAIN, RETAIN, FORGET), share=(0.75, 0.25, 1.0)), ALL)
    assert parts["retain"] == pytest.approx(-0.75 * math.log(0.4) - 0.25 * math.log(0.7))
    assert parts["forget"] == pytest.approx(-0.8 * math.log(0.75))


@pytest.mark.parametrize(
    ("mask", "part"),
    [
        ((FORGET, FORGET, IGNORE), "retain"),
        ((RETAIN, RETAIN, IGNORE), "forget"),
        ((RETAIN, FORGET, FORGET), "anchor"),
    ],
)
def test_a_class_without_tokens_is_zero(mask: tuple[int, ...], part: str) -> None:
    loss, parts = au_loss(tokens(mask), ALL)
    assert parts[part] == 0
    assert math.isfinite(loss)
    assert all(value > 0 for name, value in parts.items() if name != part)


@pytest.mark.parametrize(("p_base", "weight"), [(0.0, 1.0), (0.25, 0.75), (0.99, 0.01), (1.0, 0.0)])
def test_what_the_base_is_sure_of_is_spelling_and_is_left_alone(
    p_base: float, weight: float
) -> None:
    rest = (1 - p_base) / 3
    base = torch.tensor([[0.25] * 4, [p_base, rest, rest, rest], [0.25] * 4])
    _, parts = au_loss(tokens((IGNORE, FORGET, IGNORE), base=base), ALL)
    assert parts["forget"] == pytest.approx(-weight * math.log(0.3), abs=1e-6)


def test_a_weight_of_zero_leaves_its_part_out() -> None:
    loss, parts = au_loss(tokens(), Weights(retain=0.0, forget=1.0, anchor=0.0))
    assert float(loss) == pytest.approx(parts["forget"])
    assert "anchor" not in parts


def stepped(batch: Tokens, weights: Weights) -> torch.Tensor:
    """Probabilities (N, V) after one small step against the gradient."""
    logits = batch.logits.clone().requires_grad_()
    moving = replace(batch, logits=logits)
    au_loss(moving, weights)[0].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    return torch.softmax((logits - 0.1 * logits.grad).detach(), dim=-1)


def test_the_gradient_points_the_right_way() -> None:
    after = stepped(tokens(), ALL)
    assert after[0, 3] > P[0, 3]  # the real token's probability rises
    assert after[1, 0] < P[1, 0]  # the invented one's falls
    before, behind = (float((BASE[2] * (BASE[2] / q).log()).sum()) for q in (P[2], after[2]))
    assert behind < before  # the others get nearer to the base


@pytest.mark.parametrize("margin", [-200.0, 0.0, 15.0, 1000.0])
def test_unlikelihood_pushes_hardest_where_the_model_is_most_certain(margin: float) -> None:
    logits = torch.tensor([[margin, 0.0, 0.0, 0.0]]).requires_grad_()
    value = unlikelihood(logits, torch.tensor([0])).sum()
    value.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    p = 1 / (1 + 3 * math.exp(-margin))
    expected = margin + math.log1p(3 * math.exp(-margin)) - math.log(3)
    assert float(value.detach()) == pytest.approx(expected, rel=1e-4)
    assert float(logits.grad[0, 0]) == pytest.approx(p, abs=1e-5)
