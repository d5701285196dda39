"""Adaptive Unlearning's hybrid objective on the tri-mask (arXiv 2605.01047), bounded.

For the answer tokens of an optimizer step, of the classes R (RETAIN), F (FORGET) and O (the others)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F((1 − p_base) · −log(1 − p))
      + λ_k · mean_O(KL(base ‖ model))

It suppresses decisions, not spellings: a token weighs 1 − p_base, the probability that the base
(the model without its adapter) gives to all other tokens. Unlikelihood alone pushes hardest on the
most certain tokens, those that spell a name out once it has begun. That prevents no invention, and
makes the model unsure of all that it is sure of: where every token weighed the same, known code
lost several times as much likelihood (docs/log.md, 2026-11-28).

The means run over the whole step, not over each answer, because likelihood keeps the number of
names only where every token weighs the same: with a mean per answer, the one token that ends an
answer without names weighs as much as all the names of another (docs/log.md). The paper's own
forget term isn't public. Unlikelihood (Welleck et al. 2020, arXiv 1908.04319) is used because it is
bounded below by 0, and its gradient vanishes once an invention is gone.
"""

from __future__ import annotations

import torch

from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN, Masking
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.methods.terms import (
    at,
    base_log_likelihood,
    kl_to_base,
    log_likelihood,
    mean,
    of_class,
    total,
    unlikelihood,
)
from ghostbust.unlearners.settings import Weights


def au_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, and its three parts before their λ."""
    return total(au_parts(tokens, weights), weights, tokens)


def au_parts(tokens: Tokens, weights: Weights) -> dict[str, torch.Tensor]:
    """The three parts, each (). A class that has no token contributes 0."""
    kept, invented = of_class(tokens, RETAIN), of_class(tokens, FORGET)
    unlikely = unlikelihood(at(tokens.logits, invented), tokens.targets[invented])  # (M,)
    open_to_base = -torch.expm1(base_log_likelihood(tokens, invented))  # (M,): 1 − p_base
    parts = {
        "retain": mean(-log_likelihood(tokens, kept), tokens, kept),
        "forget": mean(open_to_base * unlikely, tokens, invented),
    }
    if weights.anchor:
        others = of_class(tokens, IGNORE)
        parts["anchor"] = mean(kl_to_base(tokens, others), tokens, others)
    return parts


METHOD = Method(
    "au-repair",
    au_loss,
    weights=Weights(forget=4.0, repair=1.0, naming=1.4, silent=0.75),
    masking=Masking.DECISIONS,
    reference=True,
    anchored=True,
    by_token=True,
)
