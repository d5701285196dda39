"""Adaptive Unlearning's hybrid objective on the tri-mask (arXiv 2605.01047), bounded.

For an answer with token classes R (RETAIN), F (FORGET) and O (the others)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F(−log(1 − p))  +  λ_k · mean_O(KL(base ‖ model))

averaged over answers by their weights. The paper's own forget term isn't public. Unlikelihood
(Welleck et al. 2020, arXiv 1908.04319) is used because it is bounded below by 0 and its gradient
is largest where the model is most certain of an invention; the released NPO variant reverses its
sign above p ≈ 0.9995 (see docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN


@dataclass(frozen=True, slots=True)
class Weights:
    """The λ of the objective, each ≥ 0, and the share of repaired answers."""

    retain: float
    forget: float
    anchor: float
    repair: float = 0.0
    """weight of a repaired answer beside an answer; 0: the paper's objective alone"""


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
    answer: torch.Tensor
    """which answer of the micro-batch each token belongs to: (N,), values in [0, B)"""
    weights: torch.Tensor
    """weight of each answer: (B,)"""


def au_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The objective summed over the micro-batch's answers, and its three unweighted parts.

    A class that an answer has no token of contributes 0 for that answer.
    """
    log_p = torch.log_softmax(tokens.logits, dim=-1)  # (N, V)
    chosen = log_p.gather(-1, tokens.targets[:, None]).squeeze(-1)  # (N,)
    parts = {
        "retain": _per_answer(-chosen, tokens, RETAIN),
        "forget": _per_answer(_unlikelihood(tokens), tokens, FORGET),
    }
    if tokens.base_logits is not None and weights.anchor:
        parts["anchor"] = _per_answer(_kl_to_base(tokens, log_p), tokens, IGNORE)
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


def _per_answer(values: torch.Tensor, tokens: Tokens, mark: int) -> torch.Tensor:
    """Σ over answers of weight · mean of ``values`` over the answer's tokens of that class: ()."""
    of_class = (tokens.mask == mark).to(values.dtype)  # (N,)
    answers = len(tokens.weights)
    sums = values.new_zeros(answers).index_add(0, tokens.answer, values * of_class)  # (B,)
    counts = values.new_zeros(answers).index_add(0, tokens.answer, of_class)  # (B,)
    return (tokens.weights * sums / counts.clamp(min=1)).sum()
