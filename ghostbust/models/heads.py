"""Predictions of a causal model at chosen places only, never the whole (B, T, V) block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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

    Padding on the right needs no ``attention_mask``: a causal model never looks there, and without
    a mask attention takes its faster ways.
    """
    body: Any = model.base_model
    hidden: torch.Tensor = body(**inputs, use_cache=False).last_hidden_state  # (B, T, H)
    return hidden[places]


def logits_of(model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """fp32 logits (N, V) of last hidden states (N, H).

    What some families do to their logits behind the output embedding (Gemma's soft cap, Granite's
    and Cohere's scale) is done here too, from the model's config.
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
