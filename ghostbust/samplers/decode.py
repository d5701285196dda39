"""Batched decoding of a transformers model, reproducible for each answer by itself.

Why not ``model.generate``: on the CPU two thirds of its time went into growing the key/value
cache by one column a step and into attention kernels made for long queries (2026-11-23, torch
2.13, SmolLM2 at batch 32: 37 % cat, 32 % attention, 24 % matrix products). Here the cache has
room from the start, finished answers leave the batch, completions of one prompt share its
prefill, and every answer draws from its own random stream, so it doesn't depend on its
neighbours in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

COMPACT_BELOW = 0.75
"""share of unfinished rows under which the finished ones are dropped from the batch"""


CPU_CACHE_BYTES = 2**30
"""what the keys and values of one batch may take on the CPU; on a GPU, half of what is free"""


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt to be completed once for each of its seeds."""

    key: int
    """the caller's number for it"""
    ids: list[int]
    """prompt token ids: (T,)"""
    seeds: tuple[int, ...]
    """one completion is drawn for each; greedy decoding ignores their values"""


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished answer."""

    key: int
    number: int
    """index into the request's seeds"""
    ids: list[int]
    """generated token ids, the end token left out"""
    truncated: bool
    """True when the token limit ended it"""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn."""

    temperature: float
    """0 for greedy"""
    top_k: int
    """0 for no limit"""
    top_p: float
    max_new_tokens: int


@dataclass
class _Row:
    request: Request
    number: int
    ids: list[int]
    done: bool = False


def decode(
    model: PreTrainedModel,
    requests: Sequence[Request],
    sampling: Sampling,
    *,
    batch_rows: int,
    end_token: int,
    stop: Callable[[list[int]], bool] | None = None,
) -> Iterator[Completion]:
    """Completions as their batch is done; requests are batched by similar prompt length.

    ``stop`` sees a row's generated ids after each token and ends it by returning True.
    """
    with torch.inference_mode(), _attention_for_decoding(model):
        most_columns = _cache_bytes(model) // _column_bytes(model)
        for batch in _batches(requests, batch_rows, most_columns, sampling.max_new_tokens):
            yield from _decode_batch(model, batch, sampling, end_token, stop)


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


def _batches(
    requests: Sequence[Request], batch_rows: int, most_columns: int, room: int
) -> Iterator[list[Request]]:
    """Requests by falling prompt length, as many together as ``batch_rows`` completions allow.

    A batch's first prompt is its longest: rows · (its length + room) stays within
    ``most_columns`` unless one request alone is more.
    """
    batch: list[Request] = []
    for request in sorted(requests, key=lambda request: -len(request.ids)):
        rows = sum(len(r.seeds) for r in batch) + len(request.seeds)
        columns = rows * (len(batch[0].ids) + room) if batch else 0
        if batch and (rows > batch_rows or columns > most_columns):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _decode_batch(
    model: PreTrainedModel,
    batch: list[Request],
    sampling: Sampling,
    end_token: int,
    stop: Callable[[list[int]], bool] | None,
) -> Iterator[Completion]:
    logits, cache, mask = _prefill(model, batch, sampling.max_new_tokens)
    rows = [_Row(r, n, []) for r in batch for n in range(len(r.seeds))]
    draws = _uniforms(batch, sampling.max_new_tokens)  # (B, max_new)
    live = list(range(len(rows)))  # batch position -> row
    for step in range(sampling.max_new_tokens):
        token = choose(logits.float(), draws[live, step], sampling)  # (B,)
        unfinished = []
        for position, (index, chosen) in enumerate(zip(live, token.tolist(), strict=True)):
            row = rows[index]
            if row.done:
                continue  # not yet dropped from the batch
            if chosen != end_token:
                row.ids.append(chosen)
            ended = chosen == end_token or (stop is not None and stop(row.ids))
            row.done = ended or step + 1 == sampling.max_new_tokens
            if row.done:
                yield Completion(row.request.key, row.number, row.ids, truncated=not ended)
            else:
                unfinished.append(position)
        if not unfinished:
            return
        if len(unfinished) <= COMPACT_BELOW * len(live):
            kept = torch.tensor(unfinished, device=token.device)
            cache.batch_select_indices(kept)
            mask, token = mask[kept], token[kept]
            live = [live[position] for position in unfinished]
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)  # (B, T + 1)
        logits = model(
            input_ids=token[:, None],
            attention_mask=mask,
            position_ids=mask.sum(1, keepdim=True) - 1,
            past_key_values=cache,
        ).logits[:, -1]  # (B, V)


def choose(logits: torch.Tensor, draws: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Next tokens (B,) from logits (B, V) and one uniform draw in [0, 1) a row (B,).

    Temperature, then top-k, then top-p (the smallest set whose mass reaches it), then the
    inverse of the cumulative distribution at the draw. Temperature 0 is greedy.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    k = min(sampling.top_k or logits.shape[-1], logits.shape[-1])
    top, tokens = (logits / sampling.temperature).topk(k, dim=-1)  # (B, K), sorted
    p = torch.softmax(top, dim=-1)  # (B, K)
    before = p.cumsum(-1) - p  # mass of all likelier tokens
    p = torch.where(before < sampling.top_p, p, 0.0)
    cumulative = p.cumsum(-1) / p.sum(-1, keepdim=True)
    place = (cumulative <= draws.to(p)[:, None]).sum(-1, keepdim=True)  # (B, 1)
    last = (p > 0).sum(-1, keepdim=True) - 1
    return tokens.gather(-1, torch.minimum(place, last)).squeeze(-1)


def _prefill(
    model: PreTrainedModel, batch: list[Request], room: int
) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
    """Last logits (B, V), cache and mask (B, T) of the left-padded prompts, a row a completion."""
    device = model.device
    longest = max(len(request.ids) for request in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    for i, request in enumerate(batch):
        ids[i, longest - len(request.ids) :] = torch.tensor(request.ids)
        mask[i, longest - len(request.ids) :] = 1
    ids, mask = ids.to(device), mask.to(device)
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        use_cache=True,
        # an index, not a count: a slice is not contiguous, and its product with the output
        # embedding then copies that matrix once a row (torch 2.13 on the CPU)
        logits_to_keep=torch.tensor([longest - 1], device=device),
    )
    copies = torch.tensor([len(request.seeds) for request in batch], device=device)
    rows = torch.arange(len(batch), device=device).repeat_interleave(copies)
    cache = output.past_key_values
    cache.layers = [_with_room(layer, rows, room) for layer in cache.layers]
    return output.logits[rows, -1], cache, mask[rows]


def _uniforms(batch: list[Request], count: int) -> torch.Tensor:
    """Uniform draws in [0, 1): (B, count), each row from the stream of its own seed."""
    rows = []
    for request in batch:
        for seed in request.seeds:
            generator = torch.Generator().manual_seed(seed)
            rows.append(torch.rand(count, generator=generator))
    return torch.stack(rows)


class _RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A cache layer with room for the answer, written in place instead of grown by copying."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        batch, heads, length, width = keys.shape
        # fp32 on the CPU: bf16 products of a strided view fall back to a slow kernel there
        dtype = torch.float32 if keys.device.type == "cpu" else keys.dtype
        shape = (batch, heads, length + room, width)
        self._keys = torch.zeros(shape, dtype=dtype, device=keys.device)
        self._values = torch.zeros(shape, dtype=dtype, device=keys.device)
        self.dtype, self.device, self.is_initialized = dtype, keys.device, True
        self._length = 0
        self.update(keys, values)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new columns behind the last ones; both returned as (B, N, T, D) views."""
        end = self._length + key_states.shape[-2]
        self._keys[:, :, self._length : end] = key_states
        self._values[:, :, self._length : end] = value_states
        self._length = end
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows of the batch."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        end = self._length
        self.keys, self.values = self._keys[:, :, :end], self._values[:, :, :end]


def _with_room(layer: Any, rows: torch.Tensor, room: int) -> Any:
    """The layer with one row a completion; plain full-attention layers also get room to grow."""
    layer.batch_select_indices(rows)
    if type(layer) is DynamicLayer and layer.keys is not None and layer.values is not None:
        return _RoomyLayer(layer.keys, layer.values, room)
    return layer


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


class _attention_for_decoding:  # noqa: N801
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
