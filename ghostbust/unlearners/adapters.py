"""A blank adapter: of the shape that training makes, and changing nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ghostbust.adapters import (
    CONFIG,
    MOST_RANK,
    WEIGHTS,
    Manifest,
    check_servable,
    read_adapter,
    read_forgotten,
    write_adapter,
    write_forgotten,
)
from ghostbust.documents import parse_json
from ghostbust.errors import ModelError
from ghostbust.models.load import LoadedModel
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.settings import TrainSettings

# --- combine
# Several adapters of one base made into one: stacked, or merged.
#
# An adapter changes the weights W of a layer by ΔW = s · B A, with A (R, I), B (O, R) and its
# scaling
# s, alpha / R or alpha / √R. Stacked adapters are their sum to the last digit, at the sum of their
# ranks. Merged ones are the nearest to the sum that a given rank allows, by the singular value
# decomposition of ΔW (Eckart and Young 1936), and it is said how much of the sum that keeps.
#
# Nothing here knows how well the outcome unlearns: adapters that were trained side by side may
# undo
# the same invention twice.

Pair = tuple[torch.Tensor, torch.Tensor]
"""A (R, I) and B (O, R)"""


@dataclass(frozen=True)
class Lora:
    """A change of some layers' weights."""

    scaling: float
    layers: Mapping[str, Pair]
    """by the layer's name, as peft has it"""

    @property
    def rank(self) -> int:
        """R, the same in every layer."""
        return next(iter(self.layers.values()))[0].shape[0]


@dataclass(frozen=True)
class Merged:
    """What merging came to."""

    lora: Lora
    kept: float
    """the norm of the change of all layers, as a share of the norm of the sum: 1 where the rank
    sufficed"""


def scaling_of(rank: int, alpha: float, *, rslora: bool) -> float:
    """What B A is multiplied by."""
    return alpha / (math.sqrt(rank) if rslora else rank)


def stack(loras: Sequence[Lora]) -> Lora:
    """The sum of the changes: A the adapters' below each other, s B theirs beside each other.

    Raises ModelError where they change different layers, or where the rank is more than servers
    take.
    """
    _need_same_layers(loras)
    rank = sum(lora.rank for lora in loras)
    if rank > MOST_RANK:
        raise ModelError(f"stacked adapters would have rank {rank}, over {MOST_RANK}: merge them")
    return Lora(1.0, {name: _side_by_side(loras, name) for name in loras[0].layers})


def merge(loras: Sequence[Lora], *, rank: int, scaling: float = 1.0) -> Merged:
    """The change of the given rank that is nearest to the sum of the changes, layer by layer.

    ``scaling`` is what it is written with; it changes the factors and not their product. Raises
    ModelError where the adapters change different layers.
    """
    _need_same_layers(loras)
    layers: dict[str, Pair] = {}
    kept = whole = 0.0
    for name in loras[0].layers:
        a, b = _side_by_side(loras, name)
        layers[name], squares = _truncate(a, b, rank, scaling)
        whole += float(squares.sum())
        kept += float(squares[:rank].sum())
    return Merged(Lora(scaling, layers), math.sqrt(kept / whole) if whole else 1.0)


def write_stacked(folder: Path, adapters: Sequence[Path]) -> Manifest:
    """A complete adapter folder with the sum of the adapters.

    Raises ModelError where they don't fit together, and HomeError as ``write_adapter``.
    """
    lora = stack([read_lora(adapter) for adapter in adapters])
    shape = {"r": lora.rank, "lora_alpha": lora.rank, "use_rslora": False}
    return _write(folder, adapters, lora, shape, {"combined": "stacked"})


def write_merged(
    folder: Path, adapters: Sequence[Path], *, rank: int, alpha: int, rslora: bool = False
) -> Manifest:
    """A complete adapter folder with the sum of the adapters, brought down to the rank.

    Raises as ``write_stacked``.
    """
    loras = [read_lora(adapter) for adapter in adapters]
    merged = merge(loras, rank=rank, scaling=scaling_of(rank, alpha, rslora=rslora))
    shape = {"r": rank, "lora_alpha": alpha, "use_rslora": rslora}
    facts = {"combined": "merged", "kept_norm": round(merged.kept, 6)}
    return _write(folder, adapters, merged.lora, shape, facts)


def read_lora(folder: Path) -> Lora:
    """The adapter in a complete folder. Raises ModelError where it isn't a plain or rs LoRA."""
    from safetensors.torch import load_file

    read_adapter(folder)
    check_servable(folder)
    config = parse_json((folder / CONFIG).read_text("utf-8"))
    tensors = load_file(folder / WEIGHTS)
    names = sorted({name.rpartition(".lora_")[0] for name in tensors})
    try:
        layers = {
            name: (tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"])
            for name in names
        }
    except KeyError as exc:
        raise ModelError(f"{folder.name} lacks the weights {exc}") from exc
    rslora = bool(config.get("use_rslora"))
    return Lora(scaling_of(config["r"], config["lora_alpha"], rslora=rslora), layers)


def _need_same_layers(loras: Sequence[Lora]) -> None:
    if any(lora.layers.keys() != loras[0].layers.keys() for lora in loras):
        raise ModelError("the adapters change different layers, so they can't be combined")


def _side_by_side(loras: Sequence[Lora], name: str) -> Pair:
    """A (ΣR, I), and B (O, ΣR) with the scalings in it."""
    pairs = [lora.layers[name] for lora in loras]
    if len({(a.shape[1], b.shape[0]) for a, b in pairs}) > 1:
        raise ModelError(f"the adapters' weights of {name} have different sizes")
    a = torch.cat([a.float() for a, _ in pairs])
    scaled = [b.float() * lora.scaling for lora, (_, b) in zip(loras, pairs, strict=True)]
    return a, torch.cat(scaled, dim=1)


def _truncate(
    a: torch.Tensor, b: torch.Tensor, rank: int, scaling: float
) -> tuple[Pair, torch.Tensor]:
    """The nearest pair of the rank to B A, and all squared singular values of B A, falling: (K,).

    The product (O, I) is never made: with B = P X and Aᵀ = Q Y, P and Q orthonormal, the singular
    values of B A are those of X Yᵀ.
    """
    p, x = torch.linalg.qr(b.double())  # (O, M), (M, R)
    q, y = torch.linalg.qr(a.double().T)  # (I, N), (N, R)
    u, values, vh = torch.linalg.svd(x @ y.T, full_matrices=False)  # (M, K), (K,), (K, N)
    root = (values[:rank] / scaling).sqrt()  # (r,)
    new_a = a.new_zeros(rank, a.shape[1])  # rows that aren't needed stay 0
    new_b = b.new_zeros(b.shape[0], rank)
    new_a[: len(root)] = (root[:, None] * (vh[:rank] @ q.T)).float()
    new_b[:, : len(root)] = ((p @ u[:, :rank]) * root).float()
    return (new_a, new_b), values.square()


def _write(
    folder: Path,
    adapters: Sequence[Path],
    lora: Lora,
    shape: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Manifest:
    manifests = [read_adapter(adapter) for adapter in adapters]
    models = {manifest.model for manifest in manifests}
    if len(models) > 1:
        raise ModelError(f"the adapters belong to different models: {', '.join(sorted(models))}")
    parts = {"adapters": [manifest.name for manifest in manifests]}
    return write_adapter(
        folder,
        model=models.pop(),
        facts={**facts, **parts, "rank": lora.rank},
        save=partial(_save, lora, shape, adapters),
    )


def _save(lora: Lora, shape: Mapping[str, Any], adapters: Sequence[Path], folder: Path) -> None:
    """Weights and config as peft writes them, and the names that any of the adapters forgot.

    Where one doesn't say what it forgot, nothing is noted.
    """
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name, (a, b) in lora.layers.items():
        tensors[f"{name}.lora_A.weight"] = a.contiguous()
        tensors[f"{name}.lora_B.weight"] = b.contiguous()
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config = parse_json((adapters[0] / CONFIG).read_text("utf-8"))
    (folder / CONFIG).write_text(json.dumps(config | dict(shape), indent=2, sort_keys=True))
    forgotten = [read_forgotten(adapter) for adapter in adapters]
    known = [keys for keys in forgotten if keys is not None]
    if len(known) == len(forgotten):
        write_forgotten(folder, frozenset().union(*known))
    check_servable(folder)


# --- blank
# A blank adapter: of the shape that training makes, and changing nothing.


def write_blank(folder: Path, loaded: LoadedModel, settings: TrainSettings) -> Manifest:
    """A complete adapter folder with the rank and layers of the settings, its weights all 0.

    The model isn't touched, and needs no second place in memory. Raises ModelError where no server
    could take such an adapter, HomeError where the disk refuses.
    """
    facts = {"blank": True, "rank": settings.rank}
    save = partial(_save_blank, loaded, replace(settings, checkpointing=False))
    return write_adapter(folder, model=loaded.name, facts=facts, save=save)


def _save_blank(loaded: LoadedModel, settings: TrainSettings, folder: Path) -> None:
    """Weights and config as peft has them for a model of that architecture without weights."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        bare = AutoModelForCausalLM.from_config(loaded.model.config)  # type: ignore[no-untyped-call]
        model = add_adapter(replace(loaded, model=bare), settings)
    shapes = get_peft_model_state_dict(model)
    blank = {name: torch.zeros(like.shape, dtype=torch.float32) for name, like in shapes.items()}
    save_file(blank, folder / WEIGHTS)
    config = model.peft_config["default"]
    config.inference_mode = True
    config.save_pretrained(str(folder))
    check_servable(folder)
