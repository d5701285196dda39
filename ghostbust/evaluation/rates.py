"""How often a model invents: per name, per answer, and among names that never trained.

Gamed by naming nothing, or by naming many famous packages: ``volume`` and ``overlap`` see both.
"""

from __future__ import annotations

import numpy as np

from ghostbust.evaluation.counting import Sums, share
from ghostbust.statistics import Floats, relative_drop


def rate(sums: Sums) -> Floats:
    """invented / (invented + real) names, distinct within each answer: (1 + R,)."""
    return share(sums["invented"], sums["named"])


def answer_rate(sums: Sums) -> Floats:
    """Answers with at least one invention / answers. Padding doesn't lower it; silence does."""
    return share(sums["with_invention"], sums["answers"])


def new_name_rate(sums: Sums) -> Floats:
    """The rate without the names of the adapter's forget set, neither counted nor divided by.

    What suppresses only the names that it was shown has no drop here.
    """
    return share(sums["new_invented"], sums["new_named"])


def drop(base: Sums, model: Sums, part: str, whole: str) -> Floats:
    """1 - the model's part / whole over the base's, as ``relative_drop``: (1 + R,)."""
    return relative_drop(np.column_stack([base[part], base[whole], model[part], model[whole]]))
