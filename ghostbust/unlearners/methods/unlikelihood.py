"""Plain unlikelihood training on the token level (Welleck et al. 2020, arXiv 1908.04319).

For the answer tokens of an optimizer step, of the classes R (RETAIN, ends included) and F (FORGET)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F(−log(1 − p))

with λ = 1 and 1, the paper's α = 1. In the paper, the token in the text is likely and others are
the unlikely candidates; here the token itself is one or the other, as where unlikelihood is
applied to unwanted replies (Li et al. 2020, arXiv 1911.03860).

It is the simplest hybrid: ``au`` counts ends as a class of their own, ``au-repair`` adds repaired
answers, decisions, an anchor and the trim.

Known failure: like ``au``, it rewards every real name, and nothing in it counts names.
"""

from __future__ import annotations

import torch

from ghostbust.unlearners.masks import FORGET, RETAIN
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.methods.terms import log_likelihood, mean, of_class, total, unlikelihood
from ghostbust.unlearners.settings import Weights


def unlikelihood_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its two parts before their λ.

    A class that has no token contributes 0.
    """
    kept, invented = of_class(tokens, RETAIN), of_class(tokens, FORGET)  # (K,), (M,)
    unlikely = unlikelihood(tokens.logits[invented], tokens.targets[invented])  # (M,)
    parts = {
        "retain": mean(-log_likelihood(tokens, kept), tokens, kept),
        "forget": mean(unlikely, tokens, invented),
    }
    return total(parts, weights, tokens)


METHOD = Method("unlikelihood", unlikelihood_loss, by_token=True, weights=Weights(anchor=0.0))
