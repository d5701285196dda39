"""Gradient ascent on what is to be forgotten (Jang et al. 2022, arXiv 2210.01504).

For the answer tokens of an optimizer step, of the classes R (RETAIN, without the ends), E (the
ends of answers) and F (FORGET)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F(log p)  +  λ_e · mean_E(−log p)

with λ = 1, 0.5 and 2, as the GA trainer of arXiv 2605.01047 was released.

``ga-whole`` drops the mask: F is every token of an answer with inventions, its end included, R
every token of another answer, and there is no E. That is gradient difference (Liu et al. 2022,
arXiv 2203.12817).

Known failures: log p has no lower bound, and its gradient on the token's own logit is 1 − p. It
hardly pushes what the model is most certain of, and never stops pushing what it has forgotten.
"""

from __future__ import annotations

import torch

from ghostbust.unlearners.masks import FORGET, Masking
from ghostbust.unlearners.methods.interface import RELEASED, UNMASKED, Method, Tokens
from ghostbust.unlearners.methods.terms import log_likelihood, mean, of_class, reinforced, total
from ghostbust.unlearners.settings import Weights


def ga_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its three parts before their λ.

    ``forget`` is 0 or less, and so may the objective be. A class that has no token contributes 0.
    """
    invented = of_class(tokens, FORGET)  # (M,)
    likely = log_likelihood(tokens, invented)  # (M,)
    parts = reinforced(tokens) | {"forget": mean(likely, tokens, invented)}
    return total(parts, weights, tokens)


METHOD = Method("ga", ga_loss, by_token=True, weights=RELEASED, ends_apart=True)
WHOLE = Method("ga-whole", ga_loss, by_token=True, weights=UNMASKED, masking=Masking.WHOLE)
METHODS = (METHOD, WHOLE)
