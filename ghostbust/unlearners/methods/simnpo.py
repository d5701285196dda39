"""Simple negative preference optimization (Fan et al. 2024, arXiv 2410.07163): NPO, no reference.

The classes of an optimizer step's answer tokens are R (RETAIN, without the ends), E (the ends of
answers) and F (FORGET); 𝒜 are the answers that hold F, F_a the F of answer a

    L = λ_r · mean_R(−log p)  +  λ_e · mean_E(−log p)
      + λ_f · mean_𝒜( (2/β) · softplus((β / |F_a|) · Σ_{F_a} log p + γ) )

The authors write the forget term as −(2/β) · log σ(−(β/|y|) · log p(y) − γ), which is the same. In
their code γ stands inside the product with β; at γ = 0, their default and ours, so is that. β = 2.5
is theirs for the smaller part of TOFU; their weights of the terms differ from one benchmark to the
next, and λ = 1, 0.5 and 2 as in the other methods here.

``simnpo-whole`` drops the mask: F_a is all of an answer with inventions, R all of each other one,
and there is no E. That is the paper's SimNPO with a retain term.

Known failures: the gradient on a token's own logit is (2/|F_a|) · σ(β · mean log p + γ) · (1 − p).
At p = 1 that is next to nothing, as with ``ga``. And the more tokens merely spell an invented name
out, the weaker the push on the one at which it was invented.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from ghostbust.unlearners.masks import FORGET, Masking
from ghostbust.unlearners.methods.interface import RELEASED, UNMASKED, Method, Tokens
from ghostbust.unlearners.methods.terms import (
    answer_sums,
    log_likelihood,
    of_class,
    reinforced,
    total,
)
from ghostbust.unlearners.settings import Weights

BETA = 2.5
"""the inverse temperature"""
GAMMA = 0.0
"""the reward margin: more of it, and forgetting goes on at lower likelihoods"""


def dispreferred(average: torch.Tensor, beta: float, gamma: float) -> torch.Tensor:
    """(2/β) · softplus(β · x + γ) of each answer's mean log-likelihood x: (A,)."""
    return (2 / beta) * softplus(beta * average + gamma)


def simnpo_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its three parts before their λ.

    A class that has no token contributes 0.
    """
    invented = of_class(tokens, FORGET)  # (M,)
    likely = log_likelihood(tokens, invented)  # (M,)
    count = answer_sums(torch.ones_like(likely), tokens, invented)  # (A,)
    average = answer_sums(likely, tokens, invented) / count.clamp(min=1)  # (A,)
    values = dispreferred(average, BETA, GAMMA)  # (A,)
    parts = reinforced(tokens) | {"forget": (values * tokens.answer_share).sum()}
    return total(parts, weights, tokens)


METHOD = Method("simnpo", simnpo_loss, weights=RELEASED, ends_apart=True)
WHOLE = Method("simnpo-whole", simnpo_loss, weights=UNMASKED, masking=Masking.WHOLE)
METHODS = (METHOD, WHOLE)
