"""Terms that several objectives share. Each reads only the rows of its class."""

from __future__ import annotations

from typing import Any

import torch

from ghostbust.unlearners.masks import END, RETAIN
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.settings import Weights


def of_class(tokens: Tokens, mark: int) -> torch.Tensor:
    """Which of the tokens have a mask value: (M,)."""
    return (tokens.mask == mark).nonzero().squeeze(-1)


def at(block: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """The ``rows`` (M,) of a block (N, V): (M, V). No copy where they are all of them."""
    return block if len(rows) == len(block) else block[rows]


def mean(values: torch.Tensor, tokens: Tokens, rows: torch.Tensor) -> torch.Tensor:
    """Σ of share · value: (), of values (M,) at ``rows`` (M,). 0 where there are none."""
    return (values * tokens.share[rows]).sum()


def answer_sums(values: torch.Tensor, tokens: Tokens, rows: torch.Tensor) -> torch.Tensor:
    """Σ of values (M,) at ``rows`` (M,) for each answer: (A,). 0 for one without such a row."""
    return values.new_zeros(len(tokens.answer_share)).index_add(0, tokens.answer[rows], values)


def log_likelihood(tokens: Tokens, rows: torch.Tensor) -> torch.Tensor:
    """log p of the tokens at ``rows``: (M,)."""
    return _log_likelihood(at(tokens.logits, rows), tokens.targets[rows])


def base_log_likelihood(tokens: Tokens, rows: torch.Tensor) -> torch.Tensor:
    """log p that the base gives the tokens at ``rows``: (M,)."""
    assert tokens.base_logits is not None  # the method asked for it
    return _log_likelihood(at(tokens.base_logits, rows), tokens.targets[rows])


def _log_likelihood(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return -torch.nn.functional.cross_entropy(logits, targets, reduction="none")


def reinforced(tokens: Tokens) -> dict[str, torch.Tensor]:
    """−log p of the tokens to keep, as in the released trainers: the parts ``retain`` and ``end``.

    Each is a mean over its own class, (). Where the method doesn't count ends apart, they are
    among ``retain``, and ``end`` is 0.
    """
    kept, ends = of_class(tokens, RETAIN), of_class(tokens, END)
    return {
        "retain": mean(-log_likelihood(tokens, kept), tokens, kept),
        "end": mean(-log_likelihood(tokens, ends), tokens, ends),
    }


def unlikelihood(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """−log(1 − p) of each target (M,), from logits (M, V).

    Computed as softplus(z − logsumexp of the other logits): finite at p = 1, and its gradient on
    the target's own logit is p. By way of p itself it would be 0 for the most certain tokens,
    whose p rounds to 1.
    """
    chosen = logits.gather(-1, targets[:, None])  # (M, 1)
    others = logits.scatter(-1, targets[:, None], float("-inf")).logsumexp(-1)  # (M,)
    return torch.nn.functional.softplus(chosen.squeeze(-1) - others)


def kl_to_base(tokens: Tokens, rows: torch.Tensor) -> torch.Tensor:
    """KL(base ‖ model) in nats at ``rows``: (M,)."""
    assert tokens.base_logits is not None  # the method asked for it
    blocks = at(tokens.logits, rows), at(tokens.base_logits, rows)  # (M, V) each
    kl: torch.Tensor = _Kl.apply(*blocks)  # type: ignore[no-untyped-call]
    return kl


class _Kl(torch.autograd.Function):
    """KL(base ‖ model) of each row (M,), from logits (M, V) of both; no gradient for the base.

    Its gradient is p − p_base: with both at hand in the forward pass it takes half the passes
    over memory that autograd makes of it.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, base_logits: torch.Tensor) -> torch.Tensor:
        model = torch.log_softmax(logits, dim=-1)  # (M, V)
        base = torch.log_softmax(base_logits, dim=-1)  # (M, V)
        p_base = base.exp()  # (M, V)
        kl = base.sub_(model).mul_(p_base).sum(-1)  # (M,)
        ctx.save_for_backward(model.exp_().sub_(p_base))
        return kl

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (difference,) = ctx.saved_tensors  # (M, V)
        return difference * grads[0][:, None], None


def total(
    parts: dict[str, torch.Tensor], weights: Weights, tokens: Tokens
) -> tuple[torch.Tensor, dict[str, float]]:
    """Σ of λ · part: (), by the parts' names, and the parts as numbers."""
    zero = tokens.logits.new_zeros(())
    loss = sum((getattr(weights, name) * part for name, part in parts.items()), start=zero)
    return loss, {name: float(part.detach()) for name, part in parts.items()}
