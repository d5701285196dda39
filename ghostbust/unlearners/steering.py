"""What a training does about the volume, and how often it asks the model for that.

Without torch: the daemon reckons a round's answers where no model library is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Steering(StrEnum):
    """What a training does about the volume, where it can ask the model."""

    NONE = "none"
    """nothing: all is learnt in one stretch"""
    TRIM = "trim"
    """its end brings the volume back (``unlearners/trim.py``)"""
    HEAR = "hear"
    """stretch by stretch it learns from what the model says (``unlearners/hear.py``)"""


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
