"""What a training begins with: the weights of another adapter, or one that lies beneath it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ghostbust.adapters import CONFIG, WEIGHTS, write_adapter
from ghostbust.errors import ModelError, TrainingError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer
from ghostbust.unlearners.adapters import BENEATH, Former, check_former
from ghostbust.unlearners.engine import Trainer, add_adapter
from ghostbust.unlearners.masks import encode_answer
from ghostbust.unlearners.methods.interface import Weights
from ghostbust.unlearners.settings import TrainSettings

MakeAnswer = Callable[..., Answer]
SETTINGS = TrainSettings(
    rank=4, alpha=8, learning_rate=0.02, warmup_steps=1, answers_per_step=2, seed=3,
    weights=Weights(repair=0.0),
)  # fmt: skip
IDS = torch.tensor([[40, 41, 42, 43]])


def fresh(folder: Path) -> LoadedModel:
    loaded = load_model(str(folder), folder, device="cpu")
    loaded.model.float()  # type: ignore[no-untyped-call]
    return loaded


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """An adapter that changes the model."""
    model = add_adapter(fresh(tiny_model_dir), SETTINGS)
    torch.manual_seed(9)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)

    def save(folder: Path) -> None:
        model.save_pretrained(str(folder))

    write_adapter(tmp_path / "round-0001-aa", model="tiny", facts={}, save=save)
    return tmp_path / "round-0001-aa"


@pytest.mark.parametrize("fixed", [False, True])
def test_the_model_begins_as_the_former_adapter_left_it(
    tiny_model_dir: Path, folder: Path, fixed: bool
) -> None:
    loaded = fresh(tiny_model_dir)
    base = logits(loaded.model)
    model = add_adapter(loaded, SETTINGS, Former(folder, fixed))
    merged = load_model(str(tiny_model_dir), folder, adapter=folder, device="cpu")
    with_it = logits(merged.model.float())  # type: ignore[no-untyped-call]
    assert (with_it - base).abs().max() > 0.1
    torch.testing.assert_close(logits(model), with_it, atol=0.05, rtol=0.02)
    with model.disable_adapter():  # the reference of the losses
        torch.testing.assert_close(logits(model), base, atol=0, rtol=0)


def test_its_own_weights_train_on(tiny_model_dir: Path, folder: Path) -> None:
    model = add_adapter(fresh(tiny_model_dir), SETTINGS, Former(folder))
    stored = load_file(folder / WEIGHTS)
    trained = {
        name.replace(".default", ""): parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    assert trained.keys() == stored.keys()
    assert all(torch.equal(trained[name], stored[name]) for name in stored)
    assert {parameter.dtype for parameter in trained.values()} == {torch.float32}


def test_what_lies_beneath_stays_as_it_is(
    tiny_model_dir: Path, folder: Path, make_answer: MakeAnswer, tmp_path: Path
) -> None:
    loaded = fresh(tiny_model_dir)
    model = add_adapter(loaded, SETTINGS, Former(folder, fixed=True))
    examples = [encode_answer(loaded, make_answer("- numpy\n- ghost", family=f)) for f in "abcd"]
    trainer = Trainer(model, SETTINGS)
    trainer.run(examples)
    assert trainer.result().moved > 0
    stored = load_file(folder / WEIGHTS)
    beneath = {n: p for n, p in model.named_parameters() if f".{BENEATH}." in n}
    assert len(beneath) == len(stored)
    for name, parameter in beneath.items():
        assert torch.equal(parameter, stored[name.replace(f".{BENEATH}", "")])
    model.save_pretrained(str(tmp_path / "own"), selected_adapters=["default"])
    own = load_file(tmp_path / "own" / WEIGHTS)
    assert own.keys() == stored.keys()
    assert not any(torch.equal(own[n], stored[n]) for n in stored if "lora_B" in n)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"rank": 8}, r"has rank 4: set \[training\] to the same, or training.start"),
        ({"alpha": 4, "rslora": True}, "has alpha 8, rslora False"),
    ],
)
def test_another_shape_is_one_line(folder: Path, other: dict[str, int], said: str) -> None:
    changed = replace(SETTINGS, **other)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=said) as caught:
        check_former(Former(folder), changed, "tiny")
    assert "\n" not in str(caught.value)
    assert check_former(Former(folder, fixed=True), changed, "tiny")


def test_another_models_adapter_is_refused(folder: Path) -> None:
    assert check_former(Former(folder), SETTINGS, "tiny") != ""
    with pytest.raises(ModelError, match="belongs to the model 'tiny', not 'other'"):
        check_former(Former(folder), SETTINGS, "other")
    (folder / CONFIG).write_text(json.dumps({"r": 4}), "utf-8")
    with pytest.raises(ModelError, match="changed after training"):
        check_former(Former(folder), SETTINGS, "tiny")


def test_weights_of_other_layers_or_sizes_are_refused(tiny_model_dir: Path, folder: Path) -> None:
    stored = load_file(folder / WEIGHTS)
    few = {name: tensor for name, tensor in stored.items() if "q_proj" in name}
    save_file(few, folder / WEIGHTS)
    with pytest.raises(TrainingError, match="it adapts other layers"):
        add_adapter(fresh(tiny_model_dir), SETTINGS, Former(folder))
    save_file(
        {name: tensor[:, :3].contiguous() for name, tensor in stored.items()}, folder / WEIGHTS
    )
    with pytest.raises(TrainingError, match="its weights have other sizes"):
        add_adapter(fresh(tiny_model_dir), SETTINGS, Former(folder))
