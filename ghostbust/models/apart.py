"""A model with its adapter kept apart: one copy of the weights is the base and the adapted model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ghostbust.models.load import LoadedModel, attach, load_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Side:
    """One of two models that are compared."""

    model: PreTrainedModel
    active: Callable[[], AbstractContextManager[object]] = nullcontext
    """context in which ``model`` is this side"""


@dataclass(frozen=True)
class Apart:
    """A model with an adapter that can be switched off."""

    loaded: LoadedModel
    """answers with the adapter"""
    base: Side
    adapted: Side


def load_apart(name: str, cache_dir: Path, adapter: Path, *, device: str | None = None) -> Apart:
    """A model for inference as `load_model` gives it, the adapter beside its weights.

    Slower to sample than a merged one, and without the rounding of the merged sum to bf16.
    Raises ModelError in one line.
    """
    loaded = load_model(name, cache_dir, device=device)
    adapted = attach(loaded.model, adapter)
    adapted.requires_grad_(False)
    adapted.to(loaded.device).eval()
    causal = cast("PreTrainedModel", adapted.get_base_model())
    return Apart(loaded, Side(causal, adapted.disable_adapter), Side(causal))
