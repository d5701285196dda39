"""Adaptive Unlearning's hybrid objective (arXiv 2605.01047), with a stand-in for its forget term.

For the answer tokens of an optimizer step, of the classes R (RETAIN, without the ends), E (the
ends of answers) and F (FORGET)

    L = λ_r · mean_R(−log p)  +  λ_f · mean_F(−log(1 − p))  +  λ_e · mean_E(−log p)

with λ = 1, 0.5 and 2, as the trainers were released. Tokens of no class aren't anchored.

The paper's own forget term isn't public; those of the released trainers are ``ga`` and
``npo-ref-free``. Unlikelihood (Welleck et al. 2020, arXiv 1908.04319) takes its place: it is
bounded below by 0, and pushes hardest where the model is most certain of an invention.

Known failure: it rewards every real name, and nothing in it counts names. Unchecked, such rewards
make lists longer (docs/concepts/methods.md).
"""

from __future__ import annotations

import torch

from ghostbust.unlearners.masks import FORGET
from ghostbust.unlearners.methods.interface import RELEASED, Method, Tokens
from ghostbust.unlearners.methods.terms import mean, of_class, reinforced, total, unlikelihood
from ghostbust.unlearners.settings import Weights


def au_loss(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """The micro-batch's part of the step's objective, (), and its three parts before their λ.

    A class that has no token contributes 0.
    """
    invented = of_class(tokens, FORGET)  # (M,)
    unlikely = unlikelihood(tokens.logits[invented], tokens.targets[invented])  # (M,)
    parts = reinforced(tokens) | {"forget": mean(unlikely, tokens, invented)}
    return total(parts, weights, tokens)


METHOD = Method("au", au_loss, by_token=True, weights=RELEASED, ends_apart=True)
