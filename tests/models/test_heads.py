"""Logits at chosen places equal those of the whole forward pass."""

from __future__ import annotations

from collections.abc import Callable
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

from ghostbust.models.pair import logits_at

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
