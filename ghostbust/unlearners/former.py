"""What a training builds on where it doesn't begin from the bare base.

The weights of a former adapter are copied into the fresh one, not merged into the base, so what
comes of it is one plain LoRA of the same rank again. The reference of the losses is the same model
with all adapters switched off, which is the base, whatever the training began with.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghostbust.adapters import CONFIG, WEIGHTS, check_servable, read_adapter
from ghostbust.errors import ModelError, TrainingError
from ghostbust.parsing import parse_json

if TYPE_CHECKING:
    from peft import PeftModel

    from ghostbust.unlearners.settings import TrainSettings

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
