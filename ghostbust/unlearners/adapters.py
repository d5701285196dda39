"""LoRA adapters: put on a model to train, started from another one, written blank, combined.

An adapter changes the weights W of a layer by ΔW = s · B A, with A (R, I), B (O, R) and its scaling
s, alpha / R or alpha / √R.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft.tuners.lora.layer import Linear, LoraVariant

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
from ghostbust.errors import ModelError, TrainingError
from ghostbust.models.load import LoadedModel, peft_warnings_silenced
from ghostbust.unlearners.settings import Former, TrainSettings

if TYPE_CHECKING:
    from peft import PeftModel

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

BENEATH = "former"
"""peft's name of a fixed adapter beneath the trained one, which is its ``default``"""


def add_adapter(
    loaded: LoadedModel, settings: TrainSettings, former: Former | None = None
) -> PeftModel:
    """The model with a fresh LoRA adapter that changes nothing yet; seeded.

    With a ``former`` adapter, the model computes what it does with that one. Raises TrainingError
    where it doesn't fit.
    """
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    names = {name.rsplit(".", 1)[-1] for name, _ in loaded.model.named_modules()}
    targets = [t for t in TARGETS if t in names]
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        use_rslora=settings.rslora,
        target_modules=targets or "all-linear",
        task_type="CAUSAL_LM",
    )
    with peft_warnings_silenced():
        model = get_peft_model(loaded.model, config)
    if former is not None:
        (_lay_beneath if former.fixed else _copy_weights)(model, former.folder)
    compute_in_place(model)
    if settings.checkpointing:
        try:
            loaded.model.activation_checkpointing_enable({"use_reentrant": False})
        except ValueError as exc:
            raise TrainingError(
                f"{loaded.name}: {exc}; set training.checkpointing to false"
            ) from exc
        # The frozen embeddings' output has no gradient otherwise, and some ways of checkpointing
        # then leave the adapter without one too.
        loaded.model.enable_input_require_grads()  # type: ignore[no-untyped-call]
    return model


def _copy_weights(model: PeftModel, folder: Path) -> None:
    """Copies the weights of a folder into the model's adapter.

    Raises TrainingError where they are of other layers, or of other sizes.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    name = folder.name
    try:
        done: Any = set_peft_model_state_dict(model, load_file(folder / WEIGHTS))
    except RuntimeError as exc:
        raise TrainingError(
            f"training can't go on from {name}: its weights have other sizes"
        ) from exc
    missing = [key for key in done.missing_keys if "lora_" in key]
    if missing or done.unexpected_keys:
        raise TrainingError(f"training can't go on from {name}: it adapts other layers")


def _lay_beneath(model: PeftModel, folder: Path) -> None:
    """Adds the adapter of a folder to what the model computes; only the model's own trains."""
    with peft_warnings_silenced():
        # peft would put it on a GPU, where there is one, whatever device the model is on
        model.load_adapter(str(folder), BENEATH, torch_device=str(model.device))
    tuner: Any = model.base_model
    tuner.set_adapter([BENEATH, "default"])
    # Whenever the adapters were switched off and on again, peft 0.21 asks gradients of both; the
    # optimizer, made before, knows only those that train.
    for name, parameter in model.named_parameters():
        if f".{BENEATH}." in name:
            parameter.requires_grad = False


def write_blank(folder: Path, loaded: LoadedModel, settings: TrainSettings) -> Manifest:
    """A complete adapter folder with the rank and layers of the settings and all weights 0.

    The model isn't touched, and no second copy of it is made. Raises ModelError where no server
    could take such an adapter, HomeError where the disk refuses.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    def save(folder: Path) -> None:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            bare = AutoModelForCausalLM.from_config(loaded.model.config)  # type: ignore[no-untyped-call]
            model = add_adapter(replace(loaded, model=bare), replace(settings, checkpointing=False))
        shapes = get_peft_model_state_dict(model)
        blank = {
            name: torch.zeros(like.shape, dtype=torch.float32) for name, like in shapes.items()
        }
        save_file(blank, folder / WEIGHTS)
        config = model.peft_config["default"]
        config.inference_mode = True
        config.save_pretrained(str(folder))
        check_servable(folder)

    facts = {"blank": True, "rank": settings.rank}
    return write_adapter(folder, model=loaded.name, facts=facts, save=save)


# Several adapters of one base combined into one. Stacked adapters are their exact sum, at the sum
# of their ranks. A merged adapter is the nearest to the sum that a given rank allows, by the
# singular value decomposition of ΔW (Eckart and Young 1936). Neither says how well the result
# unlearns: adapters that were trained side by side may suppress the same invention twice.

Pair = tuple[torch.Tensor, torch.Tensor]
"""A (R, I) and B (O, R)"""


@dataclass(frozen=True)
class Lora:
    """A change of some layers' weights."""

    scaling: float
    layers: Mapping[str, Pair]
    """by peft's name of the layer"""

    @property
    def rank(self) -> int:
        """R, the same in every layer."""
        return next(iter(self.layers.values()))[0].shape[0]


def read_lora(folder: Path) -> Lora:
    """The adapter in a complete folder. Raises ModelError where it isn't a plain or rs LoRA."""
    from safetensors.torch import load_file

    read_adapter(folder)
    check_servable(folder)
    config = _config(folder)
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
    """A complete adapter folder with the sum of the adapters, reduced to the rank.

    Raises as ``write_stacked``.
    """
    loras = [read_lora(adapter) for adapter in adapters]
    lora, kept = merge(loras, rank=rank, scaling=scaling_of(rank, alpha, rslora=rslora))
    shape = {"r": rank, "lora_alpha": alpha, "use_rslora": rslora}
    return _write(
        folder, adapters, lora, shape, {"combined": "merged", "kept_norm": round(kept, 6)}
    )


def scaling_of(rank: int, alpha: float, *, rslora: bool) -> float:
    """The factor s of B A."""
    return alpha / (math.sqrt(rank) if rslora else rank)


def stack(loras: Sequence[Lora]) -> Lora:
    """The sum of the changes: the As on top of each other, the s · Bs side by side.

    Raises ModelError where they change different layers, or where the rank is more than servers
    take.
    """
    layers = _side_by_side(loras)
    rank = sum(lora.rank for lora in loras)
    if rank > MOST_RANK:
        raise ModelError(f"stacked adapters would have rank {rank}, over {MOST_RANK}: merge them")
    return Lora(1.0, layers)


def merge(loras: Sequence[Lora], *, rank: int, scaling: float = 1.0) -> tuple[Lora, float]:
    """The change of the given rank that is nearest to the sum of the changes, layer by layer, and
    its norm as a share of the sum's: 1 where the rank suffices.

    ``scaling`` is divided out of the factors, so their product doesn't depend on it. Raises
    ModelError where the adapters change different layers.
    """
    layers: dict[str, Pair] = {}
    kept = whole = 0.0
    for name, (a, b) in _side_by_side(loras).items():
        layers[name], squares = _truncate(a, b, rank, scaling)
        whole += float(squares.sum())
        kept += float(squares[:rank].sum())
    return Lora(scaling, layers), math.sqrt(kept / whole) if whole else 1.0


def _side_by_side(loras: Sequence[Lora]) -> dict[str, Pair]:
    """By layer, A (ΣR, I), and B (O, ΣR) with the scalings in it."""
    if any(lora.layers.keys() != loras[0].layers.keys() for lora in loras):
        raise ModelError("the adapters change different layers, so they can't be combined")
    layers: dict[str, Pair] = {}
    for name in loras[0].layers:
        pairs = [lora.layers[name] for lora in loras]
        if len({(a.shape[1], b.shape[0]) for a, b in pairs}) > 1:
            raise ModelError(f"the adapters' weights of {name} have different sizes")
        scaled = [b.float() * lora.scaling for lora, (_, b) in zip(loras, pairs, strict=True)]
        layers[name] = torch.cat([a.float() for a, _ in pairs]), torch.cat(scaled, dim=1)
    return layers


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
    """Writes weights and config as peft does, and the names that any of the adapters forgot.

    Where one of them doesn't say what it forgot, nothing is noted.
    """
    from safetensors.torch import save_file

    manifests = [read_adapter(adapter) for adapter in adapters]
    models = {manifest.model for manifest in manifests}
    if len(models) > 1:
        raise ModelError(f"the adapters belong to different models: {', '.join(sorted(models))}")

    def save(folder: Path) -> None:
        tensors: dict[str, torch.Tensor] = {}
        for name, (a, b) in lora.layers.items():
            tensors[f"{name}.lora_A.weight"] = a.contiguous()
            tensors[f"{name}.lora_B.weight"] = b.contiguous()
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        config = dict(_config(adapters[0])) | dict(shape)
        (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True))
        forgotten = [read_forgotten(adapter) for adapter in adapters]
        known = [keys for keys in forgotten if keys is not None]
        if len(known) == len(forgotten):
            write_forgotten(folder, frozenset().union(*known))
        check_servable(folder)

    names = [manifest.name for manifest in manifests]
    return write_adapter(
        folder,
        model=models.pop(),
        facts={**facts, "adapters": names, "rank": lora.rank},
        save=save,
    )


def _config(folder: Path) -> Mapping[str, Any]:
    config: Mapping[str, Any] = parse_json((folder / CONFIG).read_text("utf-8"))
    return config


# The adapter's product in the precision of the base. peft casts the input of every adapted layer to
# fp32, and its product back: on a CPU with bf16 matrix units, and on a GPU, that costs more than
# the product itself. Here the two small matrices are cast instead, and the product is added to the
# base layer's result in place. Weights, gradients and the optimizer's state stay fp32.


def compute_in_place(model: PeftModel) -> None:
    """Makes every plain linear layer of a LoRA without dropout and bias add its product in place.

    Other layers stay as peft has them. Only for training, and for sampling while training: such
    layers can't be merged.
    """
    for module in model.modules():
        if type(module) is Linear and not module.lora_variant:
            module.cast_input_dtype_enabled = False
            for adapter in module.lora_A:
                module.lora_variant[adapter] = _InPlace()


class _InPlace(LoraVariant):
    """The variant that an adapted layer of peft runs instead of its own computation."""

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **_: Any
    ) -> torch.Tensor:
        a = module.lora_A[active_adapter].weight
        b = module.lora_B[active_adapter].weight
        added: torch.Tensor = _AddLora.apply(  # type: ignore[no-untyped-call]
            result.contiguous(), x.contiguous(), a, b, module.scaling[active_adapter]
        )
        return added


class _AddLora(torch.autograd.Function):
    """y + scale · (x Aᵀ) Bᵀ, in place of y."""

    @staticmethod
    def forward(
        ctx: Any,
        y: torch.Tensor,  # (…, O), result of the base layer
        x: torch.Tensor,  # (…, I), its input
        a: torch.Tensor,  # (R, I)
        b: torch.Tensor,  # (O, R)
        scale: float,
    ) -> torch.Tensor:
        a, b, x = a.to(y.dtype), b.to(y.dtype), x.to(y.dtype)
        inner = _rows(x) @ a.T  # (M, R)
        ctx.save_for_backward(x, inner, a, b)
        ctx.scale = scale
        ctx.mark_dirty(y)
        _rows(y).addmm_(inner, b.T, alpha=scale)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        grad = _rows(grads[0])  # (M, O)
        x, inner, a, b = ctx.saved_tensors
        back = (grad @ b).mul_(ctx.scale)  # (M, R)
        to_x = (back @ a).view(x.shape) if ctx.needs_input_grad[1] else None  # (…, I)
        to_a = (back.T @ _rows(x)).float()  # (R, I)
        to_b = (inner.T @ grad).T.float().mul_(ctx.scale)  # (O, R)
        return grads[0], to_x, to_a, to_b, None


def _rows(block: torch.Tensor) -> torch.Tensor:
    """(…, H) as (M, H)."""
    return block.view(-1, block.shape[-1])
