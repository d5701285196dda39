"""One model in memory is the base and the adapted one; logits at chosen places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
)

from ghostbust.errors import ModelError
from ghostbust.models.load import attach, load_model
from ghostbust.models.pair import ModelSide, load_apart, logits_at

SIZES: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 4,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SIZES, final_logit_softcapping=0.5)),
    "granite": lambda: GraniteForCausalLM(GraniteConfig(**SIZES, logits_scaling=7.0)),
    "cohere": lambda: CohereForCausalLM(CohereConfig(**SIZES, logit_scale=0.0625)),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    torch.manual_seed(0)
    made = MODELS[request.param]()
    made.requires_grad_(False)
    return made


def test_places_equal_the_full_block(model: PreTrainedModel) -> None:
    ids = torch.randint(3, 120, (3, 9), generator=torch.Generator().manual_seed(0))
    attention = torch.ones_like(ids)
    attention[1, 6:] = 0
    inputs = {"input_ids": ids, "attention_mask": attention}
    row, column = torch.tensor([0, 1, 1, 2, 2]), torch.tensor([8, 0, 5, 3, 4])
    with torch.inference_mode():
        full = model(**inputs).logits.float()  # (B, T, V)
        some = logits_at(model, inputs, (row, column))
    assert some.shape == (5, 120)
    assert some.dtype is torch.float32
    torch.testing.assert_close(some, full[row, column], atol=1e-5, rtol=1e-5)


def test_no_places_are_no_logits(model: PreTrainedModel) -> None:
    ids = torch.tensor([[5, 6]])
    nowhere = torch.zeros(0, dtype=torch.long)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    assert logits_at(model, inputs, (nowhere, nowhere)).shape == (0, 120)


@pytest.fixture
def adapter(make_lora: Callable[..., Path], tiny_model_dir: Path, tmp_path: Path) -> Path:
    return make_lora(tmp_path / "adapter", tiny_model_dir, size=1.0)


@torch.inference_mode()
def predicted(side: ModelSide) -> torch.Tensor:
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
    of_base, of_merged = predicted(ModelSide(base.model)), predicted(ModelSide(merged.model))
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
    wanted = predicted(ModelSide(whole))
    torch.testing.assert_close(predicted(exact.adapted), wanted, atol=1e-4, rtol=1e-4)
    assert (predicted(rough.adapted) - wanted).abs().max() > 1e-3


def test_an_adapter_that_is_not_there_is_one_line(tiny_model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't load the adapter"):
        load_apart(str(tiny_model_dir), tmp_path, tmp_path / "none", device="cpu")
