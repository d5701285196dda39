"""The objective of ``au_repair.py`` and terms for what comes in the place of an invention
and for code that nobody asked for in a chat.

Of the classes R, F and O, of K (FORK), where a repaired answer turns off from the one that it
comes from, and of B (BARE), code by itself,

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F((1 − p_base) · −log(1 − p))
      + λ_k · mean_O(KL(base ‖ model))  +  λ_t · Σ_K(−log p) / max(|F|, |K|)
      + λ_b · mean_B(KL(base ‖ model))

Unlikelihood takes an invention its probability and leaves it open who gets it. Where the base names
five real packages and five invented ones in a list that the token limit cuts off, the real ones may
get it, and the volume doubles. The repaired answer says what shall come instead, one draw of what
the base says behind its inventions: so that token gets a push of the same order as the one that the
invention loses, where a token of R has about a tenth of it. Then the volume moves less while
training is still far from its end.

What is unlearnt in answers spreads to code without a prompt, where nothing of a chat tells the
two apart; there B holds the model where the base is.

The examples are steered by what the model under training says itself (``unlearners/steer.py``).
No kind of the base's answers weighs more or less than it does in nature; λ_t and what the
model's own weigh were found on SmolLM2 alone (docs/log.md, 2026-11-29 and 2026-11-30).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ghostbust.unlearners.masks import BARE, FORK, Masking
from ghostbust.unlearners.methods import au_repair
from ghostbust.unlearners.methods.interface import Tokens, Weights
from ghostbust.unlearners.methods.terms import kl_to_base, log_likelihood, mean, of_class, total


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
