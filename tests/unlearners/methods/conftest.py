"""Answer tokens whose probabilities a test chooses, and the gradient on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch

from ghostbust.unlearners.masks import FORGET
from ghostbust.unlearners.methods.interface import Loss, Tokens
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[[Loss, Tokens, Weights], list[float]]


@pytest.fixture
def make_tokens() -> MakeTokens:
    """Makes tokens of their probabilities: each token is word 0 of ``words``.

    The other words share the rest alike, in the base's predictions too. Tokens weigh the same
    within their class, and so do the answers that hold FORGET tokens.
    """

    def make(
        p: Sequence[float],
        mask: Sequence[int],
        *,
        base: Sequence[float] | None = None,
        answer: Sequence[int] = (),
        words: int = 4,
    ) -> Tokens:
        answer = answer or [0] * len(p)
        forgetting = {a for a, mark in zip(answer, mask, strict=True) if mark == FORGET}
        weigh = [float(a in forgetting) for a in range(max(answer) + 1)]
        return Tokens(
            logits=_logits(p, words),
            base_logits=None if base is None else _logits(base, words),
            targets=torch.zeros(len(p), dtype=torch.long),
            mask=torch.tensor(mask),
            share=torch.tensor([1 / mask.count(mark) for mark in mask]),
            answer=torch.tensor(answer),
            answer_share=torch.tensor(weigh) / max(1, len(forgetting)),
        )

    return make


def _logits(p: Sequence[float], words: int) -> torch.Tensor:
    """Logits (N, V) that give word 0 the probabilities (N,)."""
    own = torch.tensor(p, dtype=torch.float64)[:, None]
    rest = ((1 - own) / (words - 1)).expand(-1, words - 1)
    return torch.cat((own, rest), dim=1).log().float()


@pytest.fixture
def own_gradient() -> OwnGradient:
    """∂L/∂z of each token's own logit: above 0 where the loss pushes it down."""

    def gradient(loss: Loss, tokens: Tokens, weights: Weights) -> list[float]:
        logits = tokens.logits.clone().requires_grad_()
        loss(replace(tokens, logits=logits), weights)[0].backward()  # type: ignore[no-untyped-call]
        assert logits.grad is not None
        return [float(g) for g in logits.grad.gather(-1, tokens.targets[:, None]).squeeze(-1)]

    return gradient
