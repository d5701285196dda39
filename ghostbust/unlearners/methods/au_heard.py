"""The objective of ``au_repair.py``, and terms for what replaces an invention and for bare code.

With the classes R (RETAIN), F (FORGET), O (the others), K (FORK: where a repaired answer departs
from the answer it was made of) and B (BARE: code without a prompt),

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F((1 − p_base) · −log(1 − p))
      + λ_k · mean_O(KL(base ‖ model))  +  λ_t · Σ_K(−log p) / max(|F|, |K|)
      + λ_b · mean_B(KL(base ‖ model))

Unlikelihood takes probability from an invention and doesn't say who gets it. Where the base names
five real packages and five invented ones in a list that the token limit cuts off, the real ones may
get it, and the volume doubles. The repaired answer says what comes instead: one draw of what the
base says after its inventions. So its token gets a push of the same order as the one that the
invention loses; a token of R has about a tenth of it. Then the volume moves less in mid-training.

Unlearning in answers spreads to code without a prompt, since there nothing tells a chat from plain
code. There B holds the model where the base is.

``unlearners/steer.py`` adds answers of the model under training to the examples. No kind of the
base's answers weighs more or less than it does in nature. λ_t and the weights of the model's own
answers were found on SmolLM2 alone (docs/log.md, 2026-11-29 and 2026-11-30).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ghostbust.unlearners.masks import BARE, FORK, Masking
from ghostbust.unlearners.methods import au_repair
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.terms import kl_to_base, log_likelihood, mean, of_class, total
from ghostbust.unlearners.settings import Weights


def heard_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, and its five parts before their λ."""
    parts, forks = au_repair.au_parts(tokens, weights), of_class(tokens, FORK)
    parts["fork"] = mean(-log_likelihood(tokens, forks), tokens, forks)
    bare = of_class(tokens, BARE)
    parts["bare"] = mean(kl_to_base(tokens, bare), tokens, bare)
    return total(parts, weights, tokens)


METHOD = replace(
    au_repair.METHOD,
    name="au-heard",
    loss=heard_loss,
    weights=Weights(forget=4.0, fork=2.0, bare=1.0, repair=1.0, naming=1.0, silent=1.0),
    masking=Masking.FENCES,
)
