"""The reference-free NPO that was released with Adaptive Unlearning (arXiv 2605.01047), as it is.

For the answer tokens of an optimizer step, of the classes R (RETAIN, without the ends), E (the
ends of answers) and F (FORGET), and z the logits (V,) that predict a token

    L = λ_r · mean_R(−log p)  +  λ_e · mean_E(−log p)
      + λ_f · mean_F( 0.7 · softplus(0.1 · log p) + 0.3 · KL(softmax(z/2) ‖ softmax(z)) )

with λ = 1, 0.5 and 2. The flattened distribution that is the target of the KL isn't detached:
gradients flow through it. It is here to be compared with; don't unlearn with it.

Known failures, each with a test: (1) As the target follows the model, the KL is small for flat
*and* for peaked predictions. Beyond some p its gradient changes sign, and it reinforces the
inventions that the model is most certain of: above p = 0.9997 in a vocabulary of 49,152, above
0.9999 in one of 151,936, if the other tokens share the rest alike. The softplus doesn't outweigh
it. (2) The softplus alone hardly moves anything: its gradient on the token's own logit is at most
0.035, λ_f not counted, and 0 at p = 1. (3) It isn't NPO: neither a reference nor answers are in it.
"""

from __future__ import annotations

import torch
from torch.nn.functional import log_softmax, softplus

from ghostbust.unlearners.masks import FORGET
from ghostbust.unlearners.methods.interface import RELEASED, Method, Tokens
from ghostbust.unlearners.methods.terms import log_likelihood, mean, of_class, reinforced, total
from ghostbust.unlearners.settings import Weights

BETA, LIKELIHOOD, FLATTENING, TEMPERATURE = 0.1, 0.7, 0.3, 2.0
"""of the released trainer: β, the weights of its two terms, and what flattens the target"""


def flattening(logits: torch.Tensor) -> torch.Tensor:
    """KL(softmax(z/2) ‖ softmax(z)) in nats, (M,), of logits z, (M, V); both sides move with z."""
    flat = log_softmax(logits / TEMPERATURE, dim=-1)  # (M, V)
    return (flat.exp() * (flat - log_softmax(logits, dim=-1))).sum(-1)


def npo_ref_free_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its three parts before their λ.

    A class that has no token contributes 0.
    """
    invented = of_class(tokens, FORGET)  # (M,)
    likely = softplus(BETA * log_likelihood(tokens, invented))  # (M,)
    values = LIKELIHOOD * likely + FLATTENING * flattening(tokens.logits[invented])  # (M,)
    parts = reinforced(tokens) | {"forget": mean(values, tokens, invented)}
    return total(parts, weights, tokens)


METHOD = Method("npo-ref-free", npo_ref_free_loss, by_token=True, weights=RELEASED, ends_apart=True)
