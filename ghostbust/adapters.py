"""Adapter folders: complete or not there, with a manifest that says what made them.

A folder is written aside, its manifest last, and then renamed into place. Only safetensors
weights are kept; the manifest holds the hash of every file, and reading checks them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ghostbust
from ghostbust.errors import HomeError, ModelError
from ghostbust.records import Ecosystem, content_id

MANIFEST = "ghostbust.json"
FORGOTTEN = "forgotten.json"
"""the keys of the names that the adapter was trained to forget, sorted"""
FORMAT = 1
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_RANK = 512
"""the highest ``--max-lora-rank`` of vLLM; its default is 16"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made an adapter, and the hashes of its files."""

    name: str
    model: str
    """the base, as the user gave it"""
    facts: Mapping[str, Any]
    """provenance: round, method, seed, settings, data; JSON values"""
    version: str
    """of ghostbust"""
    files: Mapping[str, str]
    """file name to SHA-256"""


def write_adapter(
    folder: Path, *, model: str, facts: Mapping[str, Any], save: Callable[[Path], None]
) -> Manifest:
    """Make a complete adapter folder; ``save`` puts the weights and their config into it.

    Nothing is left behind on failure. Raises HomeError where the disk refuses, or where the
    folder is there already: names are never reused.
    """
    if folder.exists():
        raise HomeError(f"the adapter folder {folder} is there already; names are never reused")
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True, mode=0o700)
        save(aside)
        files = {
            path.name: _hash(path)
            for path in sorted(aside.iterdir())
            if path.suffix in (".safetensors", ".json")
        }
        for path in aside.iterdir():
            if path.name not in files:
                path.unlink()  # the model card that peft adds
        manifest = Manifest(folder.name, model, facts, ghostbust.__version__, files)
        (aside / MANIFEST).write_text(json.dumps(_plain(manifest), indent=2), "utf-8")
        aside.replace(folder)
    except OSError as exc:
        raise HomeError(f"can't write the adapter {folder}: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return manifest


def clear_unfinished(adapters: Path) -> None:
    """Remove what a killed process left half-written in a home's folder of adapters.

    Only for the process that holds the home.
    """
    for aside in adapters.glob(".*.part"):
        shutil.rmtree(aside, ignore_errors=True)


def read_adapter(folder: Path) -> Manifest:
    """The manifest of a complete adapter, every file checked against its hash.

    Raises ModelError where the folder is incomplete, changed or not ghostbust's.
    """
    try:
        row = json.loads((folder / MANIFEST).read_text("utf-8"))
        if row["format"] != FORMAT:
            raise ModelError(f"{folder} was written by another version of ghostbust")
        manifest = Manifest(row["name"], row["model"], row["facts"], row["version"], row["files"])
        for name, digest in manifest.files.items():
            if _hash(folder / name) != digest:
                raise ModelError(f"{folder / name} was changed after training; don't serve it")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelError(f"{folder} is not a complete ghostbust adapter: {exc}") from exc
    return manifest


def name_key(ecosystem: Ecosystem, name: str) -> str:
    """What a forgotten name is noted as.

    A hash, because unregistered names are a shopping list for squatters. Whoever guesses a name
    can still see whether it is among them.
    """
    return content_id("forgotten", ecosystem, name)


def write_forgotten(folder: Path, keys: Iterable[str]) -> None:
    """Note the names that are forgotten, as keys; part of what ``write_adapter`` has saved."""
    (folder / FORGOTTEN).write_text(json.dumps(sorted(set(keys)), indent=0), "utf-8")


def read_forgotten(folder: Path) -> frozenset[str] | None:
    """The keys of the names that an adapter was trained to forget; None where it isn't noted.

    Raises ModelError where the note can't be read.
    """
    try:
        keys = json.loads((folder / FORGOTTEN).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise ModelError(f"can't read {folder / FORGOTTEN}: {exc}") from exc
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ModelError(f"{folder / FORGOTTEN} isn't a list of keys")
    return frozenset(keys)


def check_servable(folder: Path, *, most_rank: int = MOST_RANK, rslora: bool = True) -> None:
    """Raises ModelError, one line, where vLLM would refuse the adapter, or serve another one.

    As of its 0.11 to 0.32 (``PEFTHelper.validate_legal`` and what loads the weights): plain or
    rank-stabilised LoRA of one rank, at most ``--max-lora-rank``; no DoRA, no biases, no modules
    saved whole. Ranks and alphas by layer 0.11 would ignore; 0.32 applies them.

    ``rslora``: whether the server scales rank-stabilised ones as they want it. SGLang doesn't: it
    multiplies by alpha / rank whatever the config says (0.5.23).
    """
    from safetensors import SafetensorError, safe_open

    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            tensors = list(weights.keys())
        faults = [said for said, broken in _faults(config, tensors, most_rank) if broken]
        if config.get("use_rslora") and not rslora:
            faults.append("it is rank-stabilised, and would be served with alpha / rank")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as exc:
        raise ModelError(f"{folder} holds no LoRA adapter that can be read: {exc}") from exc
    if faults:
        raise ModelError(f"{folder.name} can't be served: {'; '.join(faults)}")


def _faults(
    config: Mapping[str, Any], tensors: Sequence[str], most_rank: int
) -> Iterator[tuple[str, bool]]:
    """What could be wrong with an adapter, and whether it is."""
    rank, kind = config["r"], config["peft_type"]
    yield f"it is {kind}, not LORA", kind != "LORA"
    yield f"its rank {rank} is over {most_rank}", not 0 < rank <= most_rank
    yield "it is a DoRA", bool(config.get("use_dora"))
    yield "it has biases", config.get("bias", "none") != "none"
    yield "it saves whole modules", bool(config.get("modules_to_save"))
    patterns = config.get("rank_pattern"), config.get("alpha_pattern")
    yield "its layers differ in rank or alpha", any(patterns)
    yield "it doesn't list its layers", not isinstance(config["target_modules"], list)
    others = [name for name in tensors if not name.endswith((".lora_A.weight", ".lora_B.weight"))]
    yield f"it holds {others[:1]}, which is no LoRA weight", bool(others)
    yield "it holds no weights", not tensors


def _plain(manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": manifest.name,
        "model": manifest.model,
        "version": manifest.version,
        "facts": dict(manifest.facts),
        "files": dict(manifest.files),
    }


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
