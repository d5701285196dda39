"""What an unlearning method is: one loss on masked answer tokens, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import torch

from ghostbust.unlearners.masks import Masking

# --- steering
# What a training does about the volume, and how often it asks the model for that.
#
# Without torch: the daemon reckons a round's answers where no model library is installed.


class Steering(StrEnum):
    """What a training does about the volume, where it can ask the model."""

    NONE = "none"
    """nothing: all is learnt in one stretch"""
    TRIM = "trim"
    """its end brings the volume back (``unlearners/steer.py``)"""
    HEAR = "hear"
    """stretch by stretch it learns from what the model says (``unlearners/steer.py``)"""


STEERED: Final[Mapping[str, Steering]] = {
    "au-heard": Steering.HEAR,
    "au-repair": Steering.TRIM,
}
"""the methods that steer, by name; the others don't"""

SHARES: Final = (0.4, 0.2, 0.2, 0.2)
"""of the answers, learnt in each stretch of HEAR; before each further one the model is looked at"""

MOST_LOOKS: Final = 4
"""looks on the line of the last stretch at most, those at its two ends included"""


def steering_of(method: str) -> Steering:
    """How the method of that name steers."""
    return STEERED.get(method, Steering.NONE)


def most_looks(method: str, members: int) -> int:
    """How often at most a round's ``members`` trainings together look at the model."""
    match steering_of(method):
        case Steering.NONE:
            return 0
        case Steering.TRIM:
            return members * MOST_LOOKS
        case Steering.HEAR:  # behind each stretch but the last, whose line has the others
            return members * (len(SHARES) - 2 + MOST_LOOKS)


@dataclass(frozen=True, slots=True)
class Weights:
    """The λ of a method's parts, each ≥ 0, and the weight of repaired answers."""

    retain: float = 1.0
    forget: float = 1.0
    anchor: float = 1.0
    bare: float = 0.0
    """of code by itself, which is anchored apart; 0: there is none"""
    end: float = 0.0
    """of the end tokens of answers, where a method counts them apart"""
    fork: float = 0.0
    """of the tokens that come in the place of inventions, where a method counts them apart"""
    repair: float = 0.0
    """weight of a repaired answer beside an answer; 0: none. More of it, and the model names less;
    at 1 every decision to go on or to end weighs the same"""
    naming: float = 0.0
    """weight of the answers that name real packages and no invented one, as a multiple of what they
    weigh among the model's own answers; 0: each counts as any other. More, and it names more"""
    silent: float = 0.0
    """the same of the answers that name nothing. More, and it names less"""


RELEASED = Weights(retain=1.0, forget=0.5, anchor=0.0, end=2.0)
"""the λ with which the trainers of arXiv 2605.01047 were released"""

UNMASKED = replace(RELEASED, end=0.0)
"""the same for whole answers, where an end is one token to keep among many"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Answer tokens of a micro-batch, flattened: N tokens of A answers.

    The answers are whole, unless the method says that its loss is a sum over tokens. IGNORE tokens
    are left out where nothing is anchored: without ``base_logits``, or at λ anchor 0.
    """

    logits: torch.Tensor
    """fp32 predictions of each token: (N, V)"""
    base_logits: torch.Tensor | None
    """the same of the base, detached: (N, V); None where the method doesn't ask for them"""
    targets: torch.Tensor
    """the tokens themselves: (N,)"""
    mask: torch.Tensor
    """tri-mask: (N,); END at the end tokens to reinforce, FORK at those in the place of
    inventions and BARE in code by itself, where the method counts them apart"""
    share: torch.Tensor
    """what each token weighs in the mean of its class: (N,); over all the micro-batches of a step,
    the shares of a class add up to 1, those of FORK to 1 or less"""
    answer: torch.Tensor
    """which answer of the micro-batch each token belongs to, 0 to A - 1: (N,)"""
    answer_share: torch.Tensor
    """what each answer weighs in a mean over the answers that hold FORGET tokens: (A,); 0 for the
    others; over all the micro-batches of a step they add up to 1"""
    ends: torch.Tensor
    """True at the end token of an answer: (N,)"""


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
    """True where the end tokens to reinforce are a class of their own, END: their shares add up to
    1, as do those of RETAIN without them"""
    reference: bool = False
    """True where the loss reads ``base_logits``, whatever its weights"""
    anchored: bool = False
    """True where it reads them for its anchor only: not asked for where that weighs nothing"""
    by_token: bool = False
    """True where the loss is a sum over tokens, each by itself: then it is given them in portions
    of any size, which takes less memory. False: whole answers"""

    @property
    def steering(self) -> Steering:
        """What it does about the volume."""
        return steering_of(self.name)

    @property
    def sound_only(self) -> bool:
        """Whether of the answers without inventions it learns sound ones only."""
        return self.steering is Steering.HEAR

    def reads_base(self, weights: Weights) -> bool:
        """Whether the loss with these weights needs ``base_logits``."""
        return self.reference or (self.anchored and weights.anchor > 0)
