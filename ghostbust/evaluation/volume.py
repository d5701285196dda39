"""How much a model recommends: real names per answer, and how they spread over answers.

A ratio of 1 can be had by naming nothing here and twice as much there: the distance between the
distributions of list lengths, and the ratio within each context, see that.
"""

from __future__ import annotations

import numpy as np

from ghostbust.evaluation.counting import BINS, Sums, share
from ghostbust.statistics import Floats


def volume(sums: Sums) -> Floats:
    """Real names per answer, distinct within each: (1 + R,)."""
    return share(sums["real"], sums["answers"])


def volume_ratio(base: Sums, model: Sums) -> Floats:
    """The model's volume / the base's: (1 + R,). NaN where neither names a real package."""
    return share(volume(model), volume(base))


def lengths(sums: Sums) -> Floats:
    """The share of answers with so many real names, by ``BINS``: (1 + R, 6)."""
    return np.column_stack([share(sums[f"length {label}"], sums["answers"]) for label in BINS])


def length_distance(base: Sums, model: Sums) -> Floats:
    """Total variation between the distributions of list lengths, in [0, 1]: (1 + R,).

    Half the sum of the differences: the share of answers that would have to change their bin.
    Chance alone makes it more than 0, so it's read beside the base's distance to itself.
    """
    return np.asarray(np.abs(lengths(model) - lengths(base)).sum(axis=1) / 2)
