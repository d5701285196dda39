"""One model in memory is the base and the adapted one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from ghostbust.errors import ModelError
from ghostbust.models.load import attach, load_model, peft_warnings_silenced
from ghostbust.models.pair import Side, load_apart, logits_at


@pytest.fixture
def adapter(tiny_model_dir: Path, tmp_path: Path) -> Path:
    loaded = load_model(str(tiny_model_dir), tmp_path, device="cpu")
    torch.manual_seed(1)
    with peft_warnings_silenced():
        config = LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
        adapted = get_peft_model(loaded.model, config)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    return tmp_path / "adapter"


@torch.inference_mode()
def predicted(side: Side) -> torch.Tensor:
    ids = torch.tensor([[5, 6, 7, 8]])
    places = (torch.tensor([0, 0]), torch.tensor([1, 3]))
    with side.active():
        return logits_at(side.model, {"input_ids": ids, "attention_mask": ids * 0 + 1}, places)


def test_both_sides_are_what_is_loaded_for_each(
    tiny_model_dir: Path, adapter: Path, tmp_path: Path
) -> None:
    apart = load_apart(str(tiny_model_dir), tmp_path, adapter, device="cpu")
    base = load_model(str(tiny_model_dir), tmp_path, device="cpu")
    merged = load_model(str(tiny_model_dir), tmp_path, adapter=adapter, device="cpu")
    of_base, of_merged = predicted(Side(base.model)), predicted(Side(merged.model))
    assert torch.equal(predicted(apart.base), of_base)
    torch.testing.assert_close(predicted(apart.adapted), of_merged, atol=0.1, rtol=0.1)  # bf16
    assert (of_merged - of_base).abs().max() > 1  # the adapter does something
    assert apart.loaded.model is apart.adapted.model
    assert not any(p.requires_grad for p in apart.loaded.model.parameters())


@pytest.mark.usefixtures("bfloat16")
def test_exact_is_without_rounding(tiny_model_dir: Path, adapter: Path, tmp_path: Path) -> None:
    name = str(tiny_model_dir)
    rough, exact = (
        load_apart(name, tmp_path, adapter, device="cpu", exact=exact) for exact in (False, True)
    )
    merged = load_model(name, tmp_path, device="cpu")
    merged.model.float()  # type: ignore[no-untyped-call]
    whole = attach(merged.model, adapter).merge_and_unload()
    wanted = predicted(Side(whole))
    torch.testing.assert_close(predicted(exact.adapted), wanted, atol=1e-4, rtol=1e-4)
    assert (predicted(rough.adapted) - wanted).abs().max() > 1e-3


def test_an_adapter_that_is_not_there_is_one_line(tiny_model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't load the adapter"):
        load_apart(str(tiny_model_dir), tmp_path, tmp_path / "none", device="cpu")
