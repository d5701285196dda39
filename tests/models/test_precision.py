"""In which precision a model computes."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from ghostbust.models import load
from ghostbust.models.load import compute_dtype, multiplies_bfloat16

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def model() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2,
    )  # fmt: skip
    return LlamaForCausalLM(config)


@pytest.mark.parametrize(
    ("names", "fast"),
    [
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"bf16": True, "neon": True}, True),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "sve_max_length": 0}, False),
    ],
)
def test_the_cpus_own_names_tell(
    names: dict[str, object], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: names, raising=False)
    assert multiplies_bfloat16() is fast


def test_a_slow_cpu_computes_in_fp32_where_there_is_room(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "multiplies_bfloat16", lambda: False)
    assert compute_dtype(model, CPU) is torch.float32
    assert compute_dtype(model, GPU) is torch.bfloat16
    weights = sum(parameter.numel() for parameter in model.parameters())
    monkeypatch.setattr(load, "_memory", lambda: 4 * weights / load.MOST - 1)
    assert compute_dtype(model, CPU) is torch.bfloat16


def test_a_fast_cpu_computes_in_bf16(
    model: LlamaForCausalLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "multiplies_bfloat16", lambda: True)
    assert compute_dtype(model, CPU) is torch.bfloat16
