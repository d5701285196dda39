"""Key/value caches with room for the answer, and attention that reads them without copying.

transformers' own cache grows by one column a step, which copies all of it each time. Here the
columns of a batch are allocated once, and rows of several caches can be joined to one batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CPU_CACHE_BYTES = 2**30
"""what the keys and values of one batch may take on the CPU; on a GPU, half of what is free"""


def most_columns(model: PreTrainedModel) -> int:
    """How many tokens, over all rows, the cache of one batch may hold."""
    return _cache_bytes(model) // _column_bytes(model)


def joinable(model: PreTrainedModel) -> bool:
    """True where every layer looks back at everything, so that rows of caches can be joined."""
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def cache_option(model: PreTrainedModel, cache: DynamicCache) -> dict[str, DynamicCache]:
    """The cache by the name that the model's call has for it: ``cache`` since transformers 5.24."""
    called = inspect.signature(model.forward).parameters
    return {"cache" if "cache" in called else "past_key_values": cache}


def with_room(parts: Sequence[tuple[DynamicCache, torch.Tensor, int]], room: int) -> DynamicCache:
    """One cache for the rows of all parts, with ``room`` columns behind them.

    A part is a cache, the rows (B,) wanted of it, and how many of its last columns they need.
    Parts with fewer columns are padded on the left. Several parts must be ``joinable``; of a
    single one, layers that aren't plain only have their rows chosen. The parts are used up: their
    layers are let go one by one.
    """
    joined = parts[0][0]
    for number in range(len(joined.layers)):
        layers: list[tuple[Any, torch.Tensor, int]] = [
            (cache.layers[number], rows, columns) for cache, rows, columns in parts
        ]
        first, rows, _ = layers[0]
        if isinstance(first, RoomyLayer) or type(first) is DynamicLayer:
            joined.layers[number] = RoomyLayer(layers, room)
            for cache, _, _ in parts[1:]:
                cache.layers[number] = DynamicLayer()  # type: ignore[no-untyped-call]
        else:
            first.batch_select_indices(rows)
    return joined


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer with room for the answer, written in place instead of grown by copying."""

    def __init__(self, parts: Sequence[tuple[Any, torch.Tensor, int]], room: int) -> None:
        """``parts`` as in `with_room`, of layers that hold keys and values (B, N, T, D)."""
        super().__init__()  # type: ignore[no-untyped-call]
        sample = parts[0][0].keys
        _, heads, _, width = sample.shape
        # fp32 on the CPU: bf16 products of a strided view fall back to a slow kernel there
        self.dtype = torch.float32 if sample.device.type == "cpu" else sample.dtype
        self.device, self.is_initialized = sample.device, True
        self._length = max(columns for _, _, columns in parts)
        rows = sum(len(chosen) for _, chosen, _ in parts)
        shape = (rows, heads, self._length + room, width)
        self._keys = torch.zeros(shape, dtype=self.dtype, device=self.device)
        self._values = torch.zeros(shape, dtype=self.dtype, device=self.device)
        row = 0
        for layer, chosen, columns in parts:
            place = (
                slice(row, row + len(chosen)),
                slice(None),
                slice(self._length - columns, self._length),
            )
            self._keys[place] = layer.keys[:, :, -columns:][chosen].to(self.dtype)
            self._values[place] = layer.values[:, :, -columns:][chosen].to(self.dtype)
            row += len(chosen)
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new columns behind the last ones; both returned as (B, N, T, D) views."""
        end = self._length + key_states.shape[-2]
        self._keys[:, :, self._length : end] = key_states
        self._values[:, :, self._length : end] = value_states
        self._length = end
        return self._show()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows of the batch."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._show()

    def _show(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The columns in use, as the model's attention sees them."""
        keys, values = self._keys[:, :, : self._length], self._values[:, :, : self._length]
        self.keys, self.values = keys, values
        return keys, values


class attention_for_decoding:  # noqa: N801
    """Context in which a CPU model that would use sdpa uses the decoding attention instead."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._before = model.config._attn_implementation
        self._swap = model.device.type == "cpu" and self._before == "sdpa"

    def __enter__(self) -> None:
        if self._swap:
            self._model.set_attn_implementation("ghostbust_decode")

    def __exit__(self, *_: object) -> None:
        if self._swap:
            self._model.set_attn_implementation(self._before)


def _grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """One query token against the cache (B, N, T, D) without repeating grouped heads; fp32."""
    batch, heads, length, width = query.shape
    if length > 1 or options.get("softcap") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    groups = key.shape[1]
    scaling = options.get("scaling") or width**-0.5
    q = query.reshape(batch, groups, heads // groups, width).to(key.dtype)  # (B, N, G, D)
    scores = torch.matmul(q, key.transpose(2, 3)).float() * scaling  # (B, N, G, T)
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, float("-inf"))
    mixed = torch.matmul(torch.softmax(scores, -1).to(value.dtype), value)  # (B, N, G, D)
    return mixed.reshape(batch, 1, heads, width).to(query.dtype), None


AttentionInterface.register("ghostbust_decode", _grouped_attention)
AttentionMaskInterface.register("ghostbust_decode", sdpa_mask)


def _cache_bytes(model: PreTrainedModel) -> int:
    if model.device.type != "cuda":
        return CPU_CACHE_BYTES
    free, _ = torch.cuda.mem_get_info(model.device)
    return free // 2


def _column_bytes(model: PreTrainedModel) -> int:
    """What one token of one row takes in the cache, keys and values of all layers together."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    size = 4 if model.device.type == "cpu" else 2
    return int(2 * config.num_hidden_layers * groups * width * size)
