"""What a trainer of the user's own left: its adapter and metrics are checked, not trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from ghostbust.adapters import CONFIG, WEIGHTS, check_servable
from ghostbust.documents import parse_json
from ghostbust.errors import ModelError, TrainingError

_HARMLESS = frozenset({".json", ".md", ".txt", ".safetensors"})
"""suffixes of files that may be there; of these only weights and config are copied"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The shape of an adapter, which a server must be able to load."""

    rank: int
    targets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a program reports of its training."""

    steps: int
    losses: tuple[float, ...]
    """at least one; the last is the final one"""
    train_s: float


def check_left(folder: Path, *, most_rank: int) -> Shape:
    """The shape of a sound adapter. Raises ModelError, one line, for anything else.

    Sound means: regular files only, weights as safetensors only, a plain LoRA that `check_servable`
    accepts, every number finite, and not all B matrices 0, which would change nothing.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            raise ModelError(f"the trainer left {path.name!r}, which is no plain file")
        if path.suffix not in _HARMLESS:
            raise ModelError(f"the trainer left {path.name!r}: only safetensors are taken")
    check_servable(folder, most_rank=most_rank)
    weights = load_file(folder / WEIGHTS)
    if not all(bool(weight.isfinite().all()) for weight in weights.values()):
        raise ModelError("the trainer's adapter holds numbers that aren't finite")
    if not any(bool(weight.any()) for name, weight in weights.items() if "lora_B" in name):
        raise ModelError("the trainer's adapter changes nothing: all its second matrices are 0")
    config: Mapping[str, Any] = parse_json((folder / CONFIG).read_text("utf-8"))
    return Shape(int(config["r"]), frozenset(map(str, config["target_modules"])))


def read_metrics(file: Path) -> Metrics:
    """The program's metrics. Raises TrainingError where they are missing or not finite."""
    try:
        row = parse_json(file.read_text("utf-8"))
        found = Metrics(
            int(row["steps"]), tuple(float(loss) for loss in row["losses"]), float(row["train_s"])
        )
    except (OSError, ValueError, OverflowError, KeyError, TypeError) as exc:
        raise TrainingError(
            f"the trainer left no {file.name} with steps, losses and train_s: {exc}"
        ) from exc
    if not found.losses or not all(map(math.isfinite, (*found.losses, found.train_s))):
        raise TrainingError(
            f"the trainer's {file.name} holds no losses, or some that aren't finite"
        )
    return found
