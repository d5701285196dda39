"""A blank adapter: of the shape that training makes, and changing nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from ghostbust.adapters import WEIGHTS, Manifest, check_servable, write_adapter
from ghostbust.models.load import LoadedModel
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.settings import TrainSettings


def write_blank(folder: Path, loaded: LoadedModel, settings: TrainSettings) -> Manifest:
    """A complete adapter folder with the rank and layers of the settings, its weights all 0.

    The model isn't touched, and needs no second place in memory. Raises ModelError where no server
    could take such an adapter, HomeError where the disk refuses.
    """
    facts = {"blank": True, "rank": settings.rank}
    save = partial(_save, loaded, replace(settings, checkpointing=False))
    return write_adapter(folder, model=loaded.name, facts=facts, save=save)


def _save(loaded: LoadedModel, settings: TrainSettings, folder: Path) -> None:
    """Weights and config as peft has them for a model of that architecture without weights."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        bare = AutoModelForCausalLM.from_config(loaded.model.config)  # type: ignore[no-untyped-call]
        model = add_adapter(replace(loaded, model=bare), settings)
    shapes = get_peft_model_state_dict(model)
    blank = {name: torch.zeros(like.shape, dtype=torch.float32) for name, like in shapes.items()}
    save_file(blank, folder / WEIGHTS)
    config = model.peft_config["default"]
    config.inference_mode = True
    config.save_pretrained(str(folder))
    check_servable(folder)
