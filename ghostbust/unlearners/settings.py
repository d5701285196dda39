"""How a round trains, what it starts from, and how often it samples the model meanwhile.

Nothing here needs torch: the daemon reckons a round's answers where no model library is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from ghostbust.adapters import CONFIG, WEIGHTS, check_servable, read_adapter
from ghostbust.documents import parse_json
from ghostbust.errors import ModelError, TrainingError
from ghostbust.sections import TrainingSection

_SECTION: Final = TrainingSection()
"""the one home of the defaults that a user can set"""


@dataclass(frozen=True, slots=True)
class Weights:
    """The λ of a method's parts, each ≥ 0, and the weights of the kinds of answers."""

    retain: float = 1.0
    forget: float = 1.0
    anchor: float = 1.0
    bare: float = 0.0
    """of bare code, which is anchored as a class of its own; 0: none is learnt"""
    end: float = 0.0
    """of the end tokens of answers, where a method counts them apart"""
    fork: float = 0.0
    """of the tokens that take the place of inventions, where a method counts them apart"""
    repair: float = 0.0
    """weight of a repaired answer beside an answer; 0: none. A higher one makes the model name
    less; at 1 every decision to go on or to end weighs the same"""
    naming: float = 0.0
    """weight of the answers that name real packages and no invented one, as a multiple of what they
    weigh among the model's own answers; 0: each counts as any other. A higher one makes the model
    name more"""
    silent: float = 0.0
    """the same of the answers that name nothing. A higher one makes the model name less"""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a round trains. Rates are per optimizer step.

    A checkpoint and an adapter's name hold a hash of its ``repr``: a new or renamed field gives
    every training a new name.
    """

    method: str = _SECTION.method
    """name of one of ``methods.METHODS``"""
    rank: int = _SECTION.rank
    alpha: int = _SECTION.alpha
    learning_rate: float = _SECTION.lr
    """reached after the warm-up; then it falls linearly to 0 over the training, which scatters less
    than a constant one (docs/log.md, 2026-11-28)"""
    warmup_steps: int = 5
    weight_decay: float = 0.01
    clip: float = 1.0
    """largest norm of the gradient"""
    epochs: int = _SECTION.epochs
    answers_per_step: int = _SECTION.answers_per_step
    micro_batch: int = 4
    """answers computed at once; twice as many need about twice the memory"""
    weights: Weights = field(kw_only=True)
    """the method's own (``Method.weights``), unless the user sets one of them"""
    seed: int = 0
    rslora: bool = _SECTION.rslora
    """updates are scaled by alpha / √rank instead of alpha / rank"""
    members: int = _SECTION.members
    """trainings whose mean becomes the adapter"""
    max_answers: int = _SECTION.max_answers
    """answers that each of them learns from, at most"""
    checkpointing: bool = _SECTION.checkpointing
    """activations are computed again in the backward pass instead of kept: some 30 % slower, and
    memory hardly grows with the depth of the model"""


@dataclass(frozen=True, slots=True)
class Former:
    """An earlier adapter that a training starts from, instead of from the bare base.

    Its weights are copied into the fresh adapter, or it stays beneath it as it is; it isn't merged
    into the base. The reference of the losses is the model with all adapters switched off: always
    the base.
    """

    folder: Path
    """complete"""
    fixed: bool = False
    """False: its own weights are trained further. True: a fresh adapter is trained on top of it; to
    be served, the two have to be combined"""


def check_former(former: Former, settings: TrainSettings, model: str) -> str:
    """The hash of its weights. Raises, in one line, where training can't start from it.

    ModelError where the folder isn't a complete plain LoRA of the model; TrainingError where its
    weights are to be trained further and the settings have another shape.
    """
    manifest = read_adapter(former.folder)
    if manifest.model != model:
        raise ModelError(f"{manifest.name} belongs to the model {manifest.model!r}, not {model!r}")
    check_servable(former.folder)
    config = parse_json((former.folder / CONFIG).read_text("utf-8"))
    has = {
        "rank": config["r"],
        "alpha": config["lora_alpha"],
        "rslora": bool(config.get("use_rslora")),
    }
    other = [f"{name} {has[name]}" for name in has if has[name] != getattr(settings, name)]
    if other and not former.fixed:
        raise TrainingError(
            f"training can't go on from {manifest.name}, which has {', '.join(other)}: "
            'set [training] to the same, or training.start to "base"'
        )
    return manifest.files[WEIGHTS]


class Steering(StrEnum):
    """How a training keeps the volume, where it can sample the model. ``steer.py`` does it."""

    NONE = "none"
    """not at all: one stage of training"""
    TRIM = "trim"
    """its last stage brings the volume back"""
    HEAR = "hear"
    """each stage learns from the model's own answers, too"""


STEERED: Final[Mapping[str, Steering]] = {
    "au-heard": Steering.HEAR,
    "au-repair": Steering.TRIM,
}
"""the methods that steer, by name; the others don't"""

SHARES: Final = (0.4, 0.2, 0.2, 0.2)
"""share of the answers in each stage of HEAR; the model is sampled between stages"""

MOST_LOOKS: Final = 4
"""samplings of the model on the line of the last stage at most, its two ends included"""


def steering_of(method: str) -> Steering:
    """How the method of that name steers."""
    return STEERED.get(method, Steering.NONE)


def most_looks(method: str, members: int) -> int:
    """How often at most a round's ``members`` trainings together sample the model."""
    match steering_of(method):
        case Steering.NONE:
            return 0
        case Steering.TRIM:
            return members * MOST_LOOKS
        case Steering.HEAR:  # after every stage but the last two, whose line has the others
            return members * (len(SHARES) - 2 + MOST_LOOKS)
