"""A model as base and as adapted in one copy of the weights, and predictions at chosen places.

`logits_at` never makes the whole (B, T, V) block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from ghostbust.models.load import LoadedModel, attach, load_model

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ModelSide:
    """One of two models that are compared."""

    model: PreTrainedModel
    active: Callable[[], AbstractContextManager[object]] = nullcontext
    """context in which ``model`` is this side"""


@dataclass(frozen=True)
class Apart:
    """A model with an adapter that can be switched off."""

    loaded: LoadedModel
    """samples with the adapter"""
    base: ModelSide
    adapted: ModelSide


def load_apart(
    name: str, cache_dir: Path, adapter: Path, *, device: str | None = None, exact: bool = False
) -> Apart:
    """A model for inference, with the adapter beside its weights.

    Slower to sample than a merged one, and without rounding the sum to bf16.
    ``exact`` computes in float32, at twice the memory: any change to a model in bf16, however
    small, moves its predictions by what rounding makes of it (0.002 nats per token with SmolLM2,
    2026-11-25). Raises ModelError in one line.
    """
    loaded = load_model(name, cache_dir, device=device)
    if exact:
        loaded.model.float()  # type: ignore[no-untyped-call]
    adapted = attach(loaded.model, adapter)
    adapted.requires_grad_(False)
    adapted.to(loaded.device).eval()
    causal = cast("PreTrainedModel", adapted.get_base_model())
    return Apart(loaded, ModelSide(causal, partial(_switched_off, adapted)), ModelSide(causal))


@contextmanager
def _switched_off(adapted: PeftModel) -> Iterator[None]:
    """Context in which the adapter does nothing."""
    with adapted.disable_adapter():
        yield
    adapted.requires_grad_(False)  # peft 0.21 lets it train after its own context


def logits_at(
    model: PreTrainedModel,
    inputs: dict[str, torch.Tensor],
    places: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """fp32 logits at the given (row, column) places: (N, V).

    ``inputs`` holds ``input_ids`` and ``attention_mask``, each (B, T), right-padded.
    """
    return logits_of(model, hidden_at(model, inputs, places))


def hidden_at(
    model: PreTrainedModel,
    inputs: dict[str, torch.Tensor],
    places: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Last hidden states at the given (row, column) places: (N, H).

    Padding on the right needs no ``attention_mask``: a causal model doesn't attend to it, and
    attention is faster without a mask.
    """
    body: Any = model.base_model
    hidden: torch.Tensor = body(**inputs, use_cache=False).last_hidden_state  # (B, T, H)
    return hidden[places]


def logits_of(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """fp32 logits (N, V) of last hidden states (N, H).

    Some families change their logits after the output embedding (Gemma's soft cap, Granite's and
    Cohere's scale); so does this, from the model's config.
    """
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    logits: torch.Tensor = head(hidden).float()  # (N, V)
    config = model.config.get_text_config()
    if (scale := getattr(config, "logit_scale", None)) is not None:
        logits = logits * scale
    if (divisor := getattr(config, "logits_scaling", None)) is not None:
        logits = logits / divisor
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits
