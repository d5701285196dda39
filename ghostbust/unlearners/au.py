"""Adaptive Unlearning's hybrid objective on the tri-mask (arXiv 2605.01047), bounded.

For the answer tokens of an optimizer step, of the classes R (RETAIN), F (FORGET) and O (the others)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F(−log(1 − p))  +  λ_k · mean_O(KL(base ‖ model))

The means run over the whole step and not over each answer by itself, because likelihood keeps the
number of names only where every token weighs the same: with a mean for each answer, the one token
that ends an answer without names weighs as much as all the names of another (docs/log.md). The
paper's own forget term isn't public. Unlikelihood
(Welleck et al. 2020, arXiv 1908.04319) is used because it is bounded below by 0 and its gradient
is largest where the model is most certain of an invention.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN


@dataclass(frozen=True, slots=True)
class Weights:
    """The λ of the objective, each ≥ 0, and the share of repaired answers."""

    retain: float = 1.0
    forget: float = 1.0
    anchor: float = 1.0
    repair: float = 1.0
    """weight of a repaired answer beside an answer; 0: none. More of it, and the model names less;
    at 1 every decision to go on or to end weighs the same"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The answer tokens of a micro-batch, flattened."""

    logits: torch.Tensor
    """fp32 predictions of each token: (N, V)"""
    base_logits: torch.Tensor | None
    """the same of the base, detached: (N, V); None where nothing is anchored"""
    targets: torch.Tensor
    """the tokens themselves: (N,)"""
    mask: torch.Tensor
    """tri-mask: (N,)"""
    share: torch.Tensor
    """what each token weighs in the mean of its class: (N,); over all the micro-batches of a step,
    the shares of a class add up to 1"""


def au_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, and its three parts before their λ.

    A class that has no token contributes 0.
    """
    log_p = torch.log_softmax(tokens.logits, dim=-1)  # (N, V)
    chosen = log_p.gather(-1, tokens.targets[:, None]).squeeze(-1)  # (N,)
    parts = {
        "retain": _mean(-chosen, tokens, RETAIN),
        "forget": _mean(_unlikelihood(tokens), tokens, FORGET),
    }
    if tokens.base_logits is not None and weights.anchor:
        parts["anchor"] = _mean(_kl_to_base(tokens, log_p), tokens, IGNORE)
    loss = sum(
        (getattr(weights, name) * part for name, part in parts.items()),
        start=chosen.new_zeros(()),
    )
    return loss, {name: float(part.detach()) for name, part in parts.items()}


def unlikelihood(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """−log(1 − p) of each target (M,), from logits (M, V).

    Computed as softplus(z − logsumexp of the other logits): finite at p = 1, and its gradient on
    the target's own logit is p. By way of p itself it would be 0 for the most certain tokens,
    whose p rounds to 1.
    """
    chosen = logits.gather(-1, targets[:, None])  # (M, 1)
    others = logits.scatter(-1, targets[:, None], float("-inf")).logsumexp(-1)  # (M,)
    return torch.nn.functional.softplus(chosen.squeeze(-1) - others)


def _unlikelihood(tokens: Tokens) -> torch.Tensor:
    """−log(1 − p) at each token: (N,); 0 where the token isn't FORGET."""
    invented = (tokens.mask == FORGET).nonzero().squeeze(-1)  # (M,)
    values = unlikelihood(tokens.logits[invented], tokens.targets[invented])  # (M,)
    return values.new_zeros(len(tokens.mask)).index_put((invented,), values)


def _kl_to_base(tokens: Tokens, log_p: torch.Tensor) -> torch.Tensor:
    """KL(base ‖ model) at each token in nats: (N,); 0 where the token isn't IGNORE."""
    assert tokens.base_logits is not None  # the caller checked
    anchored = (tokens.mask == IGNORE).nonzero().squeeze(-1)  # (M,)
    base = torch.log_softmax(tokens.base_logits[anchored], dim=-1)  # (M, V)
    kl = (base.exp() * (base - log_p[anchored])).sum(-1)  # (M,)
    return log_p.new_zeros(len(tokens.mask)).index_put((anchored,), kl)


def _mean(values: torch.Tensor, tokens: Tokens, mark: int) -> torch.Tensor:
    """Σ of share · value over the tokens of a class: ()."""
    return (values * tokens.share * (tokens.mask == mark)).sum()
