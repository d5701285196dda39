"""What an unlearning method is: one loss on masked answer tokens, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from ghostbust.unlearners.masks import Masking
from ghostbust.unlearners.settings import Steering, Weights, steering_of

RELEASED = Weights(retain=1.0, forget=0.5, anchor=0.0, end=2.0)
"""the λ with which the trainers of arXiv 2605.01047 were released"""

UNMASKED = replace(RELEASED, end=0.0)
"""the same for whole answers, where an end is one token to keep among many"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Answer tokens of a micro-batch, flattened: N tokens of A answers.

    The answers are whole unless the method's loss is a sum over tokens (``Method.by_token``).
    IGNORE tokens are left out where nothing is anchored: without ``base_logits``, or at λ anchor 0.
    """

    logits: torch.Tensor
    """fp32 predictions of each token: (N, V)"""
    base_logits: torch.Tensor | None
    """the base's predictions, detached: (N, V); None where the method doesn't ask for them"""
    targets: torch.Tensor
    """the tokens themselves: (N,)"""
    mask: torch.Tensor
    """tri-mask: (N,); END, FORK and BARE only where the method counts them apart"""
    share: torch.Tensor
    """weight of each token in the mean of its class: (N,). Over all the micro-batches of a step the
    shares of a class add up to 1, those of FORK to 1 or less"""
    answer: torch.Tensor
    """which answer of the micro-batch each token belongs to, 0 to A - 1: (N,)"""
    answer_share: torch.Tensor
    """weight of each answer in a mean over the answers that hold FORGET tokens: (A,); 0 for the
    others. Over all the micro-batches of a step they add up to 1"""


Loss = Callable[[Tokens, Weights], tuple[torch.Tensor, dict[str, float]]]
"""the micro-batch's part of the step's objective, (), and its parts before their λ"""


@dataclass(frozen=True, slots=True)
class Method:
    """One way to unlearn."""

    name: str
    """as in the settings, the manifest and the tables"""
    loss: Loss
    weights: Weights = field(default_factory=Weights)
    """the λ it is used with unless the settings say otherwise"""
    masking: Masking = Masking.NAMES
    ends_apart: bool = False
    """True where the end tokens to reinforce are a class of their own, END, with shares that add up
    to 1"""
    reference: bool = False
    """True where the loss reads ``base_logits``, whatever its weights"""
    anchored: bool = False
    """True where it reads them for its anchor only: not asked for where that weighs nothing"""
    by_token: bool = False
    """True where the loss is a sum over tokens: it gets them in chunks of any size, which takes
    less memory. False: it gets whole answers"""

    @property
    def steering(self) -> Steering:
        """How it keeps the volume."""
        return steering_of(self.name)

    @property
    def sound_only(self) -> bool:
        """True where it learns only sound ones of the answers without inventions."""
        return self.steering is Steering.HEAR

    def reads_base(self, weights: Weights) -> bool:
        """Whether the loss with these weights needs ``base_logits``."""
        return self.reference or (self.anchored and weights.anchor > 0)
