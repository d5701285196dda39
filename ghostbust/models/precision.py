"""In which precision a model computes on this machine. Its weights are bf16 values either way.

A CPU without instructions for bf16 widens every factor first: on one with AVX2 alone, products of
SmolLM2's matrices took seven times as long in bf16 as in fp32 (docs/log.md, 2026-11-28). There
weights that find room are widened once, when they are loaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

MOST = 0.25
"""share of the machine's memory that weights in fp32 may take; larger ones stay bf16 and slow"""


def compute_dtype(model: PreTrainedModel, device: torch.device) -> torch.dtype:
    """bf16, or fp32 on a CPU that is slow with bf16 and has the memory."""
    import torch

    slow = device.type == "cpu" and not multiplies_bfloat16()
    weights = sum(parameter.numel() for parameter in model.parameters())
    return torch.float32 if slow and 4 * weights <= MOST * _memory() else torch.bfloat16


def multiplies_bfloat16() -> bool:
    """Whether the CPU has instructions that multiply bf16; False where torch can't tell."""
    import torch

    # Among the names are avx512_bf16, amx_bf16, bf16 and sve_bf16; older torch can't tell.
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(name.endswith("bf16") and has for name, has in capabilities.items())


def _memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
