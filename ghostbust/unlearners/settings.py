"""How a round trains."""

from __future__ import annotations

from dataclasses import dataclass, field

from ghostbust.unlearners.methods import DEFAULT, method_named
from ghostbust.unlearners.methods.interface import Weights


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a round trains. Rates are per optimizer step."""

    method: str = DEFAULT
    """name of one of ``methods.METHODS``"""
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 8e-4
    """its height behind the warm-up; it falls in a straight line to 0 over the training, which
    scatters less than a constant one (docs/log.md, 2026-11-28)"""
    warmup_steps: int = 5
    weight_decay: float = 0.01
    clip: float = 1.0
    epochs: int = 1
    answers_per_step: int = 8
    micro_batch: int = 4
    """answers computed at once; twice as many need about twice the memory"""
    weights: Weights = field(default_factory=lambda: method_named(DEFAULT).weights)
    seed: int = 0
    rslora: bool = False
    """updates are scaled by alpha / √rank instead of alpha / rank"""
    members: int = 1
    """trainings of which the mean is taken, ``soup.py``"""
    max_answers: int = 600
    """answers that each of them learns from, at most"""
    checkpointing: bool = False
    """activations are computed again on the way back instead of kept: some 30 % slower, and memory
    hardly grows with the depth of the model"""
