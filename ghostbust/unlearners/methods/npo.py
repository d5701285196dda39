"""Negative preference optimization with its reference (Zhang et al. 2024, arXiv 2404.05868, eq. 3).

The classes of an optimizer step's answer tokens are R (RETAIN, without the ends), E (the ends of
answers) and F (FORGET); 𝒜 are the answers that hold F, F_a the F of answer a

    L = λ_r · mean_R(−log p)  +  λ_e · mean_E(−log p)
      + λ_f · mean_𝒜( (2/β) · softplus(β · Σ_{F_a} (log p − log p_base)) )

with β = 0.1, as in the paper. An answer is one dispreferred completion, and its log-ratio the sum
over its tokens, here over those to forget. The reference p_base is the model without its adapter.
λ = 1, 0.5 and 2, as in the other trainers of arXiv 2605.01047; the released NPO is another one
(``npo-ref-free``).

``npo-whole`` drops the mask: F_a is all of an answer with inventions, R all of each other one, and
there is no E. That is the paper's NPO with a retain term.

Known failures: at the base its gradient is that of ``ga``, summed over each answer: it hardly
pushes what the model is most certain of, and a longer answer pushes more. The push is worth
2 · σ(β · log-ratio) of that, an answer at a time: one token that has fallen far lets the others go.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from ghostbust.unlearners.masks import FORGET, Masking
from ghostbust.unlearners.methods.interface import RELEASED, UNMASKED, Method, Tokens
from ghostbust.unlearners.methods.terms import (
    answer_sums,
    base_log_likelihood,
    log_likelihood,
    of_class,
    reinforced,
    total,
)
from ghostbust.unlearners.settings import Weights

BETA = 0.1
"""the inverse temperature; towards 0 the forget term becomes gradient ascent"""


def npo_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its three parts before their λ.

    A class that has no token contributes 0.
    """
    invented = of_class(tokens, FORGET)  # (M,)
    ratio = log_likelihood(tokens, invented) - base_log_likelihood(tokens, invented)  # (M,)
    values = (2 / BETA) * softplus(BETA * answer_sums(ratio, tokens, invented))  # (A,)
    parts = reinforced(tokens) | {"forget": (values * tokens.answer_share).sum()}
    return total(parts, weights, tokens)


METHOD = Method("npo", npo_loss, weights=RELEASED, ends_apart=True, reference=True)
WHOLE = Method("npo-whole", npo_loss, weights=UNMASKED, masking=Masking.WHOLE, reference=True)
METHODS = (METHOD, WHOLE)
