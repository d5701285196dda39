"""An adapter for other programs: as it is, or merged into the weights of its model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ghostbust
from ghostbust import files
from ghostbust.adapters import CARD, MANIFEST, Manifest, copy_adapter, read_adapter
from ghostbust.errors import UsageError
from ghostbust.models.load import load_model


def export_peft(adapter: Path, out: Path, card: str = "") -> None:
    """Copies a complete adapter folder, every file checked against its hash as it is copied.

    Its list of forgotten names stays here. ``card``: its model card, here as in the other formats;
    none is written if it is empty.

    Raises ModelError if the folder is incomplete or changed, and UsageError if ``out`` is there
    already or can't be written.
    """
    with new_folder(out) as aside:
        copy_adapter(adapter, aside, for_others=True)
        write_card(aside, card)


def export_merged(adapter: Path, out: Path, cache_dir: Path, card: str = "") -> None:
    """Writes safetensors in bf16, the configs and the tokenizer, as transformers loads them.

    The weights are, bit by bit, those that the gates measured: ``load_model`` merges for both.
    They differ from the adapter kept beside the base by the rounding of the sum to bf16. Takes the
    model's size in memory, and for a moment twice its size on the disk.

    Raises ModelError if adapter or model can't be loaded, and UsageError if ``out`` is there
    already or can't be written.
    """
    import torch

    manifest = read_adapter(adapter)
    with new_folder(out) as aside:
        loaded = load_model(manifest.model, cache_dir, adapter=adapter, device="cpu")
        loaded.model.to(dtype=torch.bfloat16)  # type: ignore[call-arg]  # exact: bf16 values
        loaded.model.save_pretrained(aside)
        loaded.tokenizer.save_pretrained(aside)
        write_card(aside, card)
        note_origin(aside, "merged", manifest, {"dtype": "bfloat16"})


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the name ``out`` when the block ends well.

    Raises UsageError if ``out`` is there already, or can't be written; then nothing is left.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; choose a folder that isn't")
    with files.whole_folder(out, error=UsageError) as aside:
        yield aside


def write_card(folder: Path, card: str) -> None:
    """Writes the model card, unless it is empty, in place of one that a library wrote."""
    if card:
        (folder / CARD).write_text(card, "utf-8")


def note_origin(folder: Path, kind: str, adapter: Manifest, facts: Mapping[str, object]) -> None:
    """Writes what the folder was made of, and the hashes of its files, beside them."""
    document = {
        "kind": kind,
        "adapter": adapter.name,
        "model": adapter.model,
        "adapter_files": dict(adapter.files),
        "version": ghostbust.__version__,
        **facts,
        "files": {path.name: files.sha256_of(path) for path in sorted(folder.iterdir())},
    }
    (folder / MANIFEST).write_text(json.dumps(document, indent=2), "utf-8")
