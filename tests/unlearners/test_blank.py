"""Blank adapters: the shape that training makes, and no effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ghostbust.adapters import CONFIG, WEIGHTS, read_adapter
from ghostbust.errors import HomeError, ModelError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.unlearners.adapters import write_blank
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.settings import TrainSettings


@pytest.mark.parametrize("settings", [TrainSettings(), TrainSettings(rank=4, rslora=True)])
def test_it_has_the_shape_of_what_training_saves(
    tiny_model_dir: Path, tmp_path: Path, settings: TrainSettings
) -> None:
    loaded = load_model(str(tiny_model_dir), tmp_path)
    write_blank(tmp_path / "blank", loaded, settings)
    add_adapter(loaded, settings).save_pretrained(str(tmp_path / "trained"))
    blank, trained = (load_file(tmp_path / name / WEIGHTS) for name in ("blank", "trained"))
    assert {name: tuple(part.shape) for name, part in blank.items()} == {
        name: tuple(part.shape) for name, part in trained.items()
    }
    told = [json.loads((tmp_path / name / CONFIG).read_text()) for name in ("blank", "trained")]
    for config in told:
        config["target_modules"].sort()
    assert told[0] == told[1]


def test_it_changes_nothing_of_the_model_that_it_is_made_for(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    loaded = load_model(str(tiny_model_dir), tmp_path)
    before = [name for name, _ in loaded.model.named_modules()]
    state = torch.random.get_rng_state()
    folder = tmp_path / "blank"
    write_blank(folder, loaded, TrainSettings(checkpointing=True))
    assert [name for name, _ in loaded.model.named_modules()] == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert read_adapter(folder).facts == {"blank": True, "rank": 16}
    ids = torch.tensor([[1, 2, 3]])
    with_it = load_model(str(tiny_model_dir), tmp_path, adapter=folder)
    with torch.inference_mode():
        assert torch.equal(with_it.model(ids).logits, loaded.model(ids).logits)


def test_nothing_is_left_of_one_that_no_server_takes(tiny: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="rank 1024 is over 512"):
        write_blank(tmp_path / "blank", tiny, TrainSettings(rank=1024))
    assert not list(tmp_path.iterdir())
    (tmp_path / "blank").mkdir()
    with pytest.raises(HomeError, match="never reused"):
        write_blank(tmp_path / "blank", tiny, TrainSettings())
