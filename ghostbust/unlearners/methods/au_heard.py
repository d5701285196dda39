"""The objective of ``au_repair.py``, steered by what the model under training says itself.

The loss is the same. Other are the examples (``unlearners/stretches.py``): training goes in
stretches behind looks, and what the model says there is learnt with what the base said; lists that
were cut off end in repaired form, what would break off has none, and what follows a fence is a
decision. No kind of the base's answers weighs more or less than it does in nature; what the model's
own weigh was found on SmolLM2 alone (docs/log.md, 2026-11-29).
"""

from __future__ import annotations

from dataclasses import replace

from ghostbust.unlearners.masks import Masking
from ghostbust.unlearners.methods import au_repair
from ghostbust.unlearners.methods.interface import Steering, Weights

METHOD = replace(
    au_repair.METHOD,
    name="au-heard",
    weights=Weights(forget=4.0, repair=1.0, naming=1.0, silent=1.0),
    masking=Masking.FENCES,
    steering=Steering.HEAR,
)
