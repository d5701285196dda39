"""The model with the adapter in its weights: for whatever loads a model and knows no adapters."""

from __future__ import annotations

from pathlib import Path

from ghostbust.adapters import read_adapter
from ghostbust.exports.folders import note_origin, whole_folder
from ghostbust.models.load import load_model


def export_merged(adapter: Path, out: Path, cache_dir: Path) -> None:
    """Writes safetensors in bf16, the configs and the tokenizer, as transformers loads them.

    The weights are, bit by bit, those that the gates measured: ``load_model`` merges for both.
    They differ from the adapter kept beside the base by the rounding of the sum to bf16. Takes
    twice the model's size on the disk for a moment, and its size in memory.

    Raises ModelError where adapter or model can't be loaded, and UsageError where ``out`` is there
    already or can't be written.
    """
    import torch

    manifest = read_adapter(adapter)
    with whole_folder(out) as aside:
        loaded = load_model(manifest.model, cache_dir, adapter=adapter, device="cpu")
        loaded.model.to(dtype=torch.bfloat16)  # type: ignore[call-arg]  # exact: bf16 values
        loaded.model.save_pretrained(aside)
        loaded.tokenizer.save_pretrained(aside)
        note_origin(aside, "merged", manifest, {"dtype": "bfloat16"})
