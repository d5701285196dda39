"""What an unfinished training goes on from: one file, complete or not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch

from ghostbust.adapters import CONFIG, WEIGHTS, check_servable, read_adapter
from ghostbust.documents import parse_json
from ghostbust.errors import HomeError, ModelError, TrainingError
from ghostbust.files import clear_unfinished, whole_file
from ghostbust.records import content_id
from ghostbust.unlearners.masks import Example

if TYPE_CHECKING:
    from peft import PeftModel

    from ghostbust.unlearners.settings import TrainSettings


FORMAT = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training at some step. Which step it is, the losses say: there is one for each."""

    losses: tuple[float, ...]
    weights: list[torch.Tensor]
    """of the adapter, in the order of the model's parameters"""
    optimizer: dict[str, Any]
    """its state, as torch has it; empty where nothing is trained on from here"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training came."""

    ends: tuple[Snapshot, ...] = ()
    """the end of each stretch that was finished"""
    examples: str = ""
    """which examples the stretch under way has, `examples_id`; empty: none is under way"""
    now: Snapshot | None = None
    """the stretch under way after some of its steps; None before the first ones"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file that holds a training's progress."""

    path: Path
    key: str
    """of model, settings and answers; what another training left is passed over"""
    every: int = field(default=20, kw_only=True)
    """steps from one save to the next"""

    def save(self, progress: Progress) -> None:
        """Replaces the file, at once. Raises HomeError where the disk refuses."""
        state = {
            "format": FORMAT,
            "key": self.key,
            "ends": [_plain(end) for end in progress.ends],
            "examples": progress.examples,
            "now": None if progress.now is None else _plain(progress.now),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with whole_file(self.path) as aside, aside.open("wb") as file:
                torch.save(state, file)
        except OSError as exc:
            raise HomeError(f"can't save the training to {self.path}: {exc.strerror}") from exc

    def load(self) -> Progress:
        """What was saved; no progress where nothing was, or by another training.

        Raises HomeError for a file that can't be read.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] != FORMAT or state["key"] != self.key:
                return Progress()
            now = state["now"]
            return Progress(
                tuple(_snapshot(end) for end in state["ends"]),
                state["examples"],
                None if now is None else _snapshot(now),
            )
        except FileNotFoundError:
            return Progress()
        except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as exc:
            raise HomeError(
                f"{self.path} can't be read, so training can't go on from it; remove it"
            ) from exc

    def clear(self) -> None:
        """Removes the file: the training is done."""
        clear_checkpoint(self.path)


def clear_checkpoint(path: Path) -> None:
    """Removes the file, and what a killed process had written of the next, where they are there."""
    path.unlink(missing_ok=True)
    clear_unfinished(path.parent, path.name)


def examples_id(examples: Sequence[Example]) -> str:
    """Which examples these are, in this order."""
    return content_id(*(repr(example) for example in examples))


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "losses": list(snapshot.losses),
        "weights": snapshot.weights,
        "optimizer": snapshot.optimizer,
    }


def _snapshot(row: dict[str, Any]) -> Snapshot:
    return Snapshot(tuple(row["losses"]), row["weights"], row["optimizer"])


# --- former
# What a training builds on where it doesn't begin from the bare base.
#
# The weights of a former adapter are copied into the fresh one, not merged into the base, so what
# comes of it is one plain LoRA of the same rank again. The reference of the losses is the same
# model
# with all adapters switched off, which is the base, whatever the training began with.

BENEATH = "former"
"""what peft calls the adapter that lies beneath the trained one, which is its ``default``"""


@dataclass(frozen=True, slots=True)
class Former:
    """An adapter that is there already."""

    folder: Path
    """complete"""
    fixed: bool = False
    """False: its own weights are trained on. True: it stays as it is, and a fresh adapter is
    trained on the model that has it; to be served, both have to be combined (``combine.py``)"""


def check_former(former: Former, settings: TrainSettings, model: str) -> str:
    """The id of its weights. Raises, in one line, where nothing can be built on the adapter.

    ModelError where the folder isn't a complete plain LoRA of the model; TrainingError where its
    own weights are to train on and the settings say another shape.
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
    wanted = {name: getattr(settings, name) for name in has}
    if not former.fixed and has != wanted:
        other = ", ".join(f"{name} {has[name]}" for name in has if has[name] != wanted[name])
        raise TrainingError(
            f"training can't go on from {manifest.name}, which has {other}: "
            'set [training] to the same, or training.start to "base"'
        )
    return manifest.files[WEIGHTS]


def take_over(model: PeftModel, folder: Path) -> None:
    """Copies the weights of a folder into the model's adapter.

    Raises TrainingError where they are of other layers, or of other sizes.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    name = folder.name
    try:
        done: Any = set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
    except RuntimeError as exc:
        raise TrainingError(
            f"training can't go on from {name}: its weights have other sizes"
        ) from exc
    missing = [key for key in done.missing_keys if "lora_" in key]
    if missing or done.unexpected_keys:
        raise TrainingError(f"training can't go on from {name}: it adapts other layers")


def lay_beneath(model: PeftModel, folder: Path) -> None:
    """Adds the adapter of a folder to what the model computes; only the model's own trains.

    Whenever the adapters were switched off and on again, peft 0.21 asks gradients of both; the
    optimizer, made before, knows only those that train.
    """
    from ghostbust.models.load import peft_warnings_silenced

    with peft_warnings_silenced():
        # peft would put it on a GPU, where there is one, whatever device the model is on
        model.load_adapter(str(folder), BENEATH, torch_device=str(model.device))
    tuner: Any = model.base_model
    tuner.set_adapter([BENEATH, "default"])
    for name, parameter in model.named_parameters():
        if f".{BENEATH}." in name:
            parameter.requires_grad = False
