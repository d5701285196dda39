"""Batched decoding of a transformers model, reproducible for each answer by itself.

Why not ``model.generate``: on the CPU two thirds of its time went into growing the key/value
cache by one column a step and into attention kernels made for long queries (2026-11-23, torch
2.13, SmolLM2 at batch 32: 37 % cat, 32 % attention, 24 % matrix products). Here the cache is
allocated once, prompts are read with others of their length, completions of one prompt share that
pass, finished answers leave the batch and the next prompts take their place. Every answer draws
from its own random stream, so it doesn't depend on its neighbours.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ghostbust.models.load import give_back

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Item = TypeVar("Item")


class Check(Protocol):
    """Reads one completion while it is written, and may take tokens of it back."""

    @property
    def holds(self) -> bool:
        """True while `held` must choose what the next token may be."""
        ...

    def __call__(
        self, ids: list[int], *, ended: bool, truncated: bool, last: bool
    ) -> tuple[int, bool] | None:
        """How many of the generated ids stay, and whether the completion ends there; None for all.

        ``ended``: nothing follows; ``truncated``: since the limit is reached; ``last``: nothing can
        be drawn anew.
        """
        ...

    def held(self, logits: torch.Tensor, ids: list[int]) -> torch.Tensor:
        """Predictions of the next token (V,), -inf for what may not follow."""
        ...


COMPACT_BELOW = 0.75
"""share of unfinished rows below which the finished ones are dropped from the batch"""
REFILL_BELOW = 0.5
"""share of the allowed rows below which waiting prompts join the batch"""
SORTED_FIRST = 256
"""a draw without top-k is looked for among so many likeliest tokens before all are sorted"""
TOKENS_AT_ONCE = {"cpu": 1024, "cuda": 16384}
"""prompt tokens, padding included, that one pass reads, by kind of device. 1,024 stay in a
processor's cache; 4,096 took half as long again (docs/log.md). A GPU needs more to be busy"""
REWOUND = 0.5
"""tokens of an answer that may be drawn anew, as a share of its limit"""
CPU_CACHE_BYTES = 2**30
"""for the keys and values of one batch on the CPU; on a GPU, half of what is free"""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn."""

    temperature: float
    """0 for greedy"""
    top_k: int
    """0 for no limit"""
    top_p: float
    max_new_tokens: int


def spare(sampling: Sampling) -> int:
    """Tokens of a checked answer that may be drawn anew."""
    return int(REWOUND * sampling.max_new_tokens)


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """One prompt to be completed once for each of its seeds."""

    key: int
    """the caller's number for it"""
    ids: list[int]
    """prompt token ids: (T,)"""
    seeds: tuple[int, ...]
    """one completion is drawn for each; greedy decoding ignores their values"""
    check: Callable[[], Check] | None = None
    """makes what reads one completion while it is written; None where nothing is taken back"""

    def limit(self, sampling: Sampling) -> int:
        """Most tokens that a completion takes, those that are taken back included."""
        return sampling.max_new_tokens + (spare(sampling) if self.check else 0)


@dataclass(frozen=True, slots=True)
class DecodedAnswer:
    """One finished completion."""

    key: int
    number: int
    """index into the request's seeds"""
    ids: list[int]
    """generated token ids, without the end token"""
    truncated: bool
    """True where the token limit ended it"""


@dataclass
class _Row:
    """An unfinished answer, or a finished one that wasn't dropped yet."""

    key: int
    number: int
    sampling: Sampling
    draws: list[float]
    """a uniform draw in [0, 1) for each token that it may have"""
    stream: torch.Generator
    """of more draws, for tokens that are drawn anew"""
    last: int
    """the prompt's last token id"""
    check: Check | None = None
    left: int = 0
    """tokens that may still be drawn anew"""
    ids: list[int] = field(default_factory=list)
    done: bool = False

    def taken_back(self, *, ended: bool, unread: int) -> int | None:
        """How many cached columns to forget, for what the check takes back; None for nothing.

        ``unread``: 1 where the newest id isn't in the cache yet, else 0. The token to be read next
        is then the last that stays, whose column is forgotten too.
        """
        if self.check is None:
            return None
        check = partial(self.check, self.ids, ended=self.done, truncated=self.done and not ended)
        cut = check(last=self.left <= 0)
        if cut is not None and not cut[1] and len(self.ids) - cut[0] >= self.left:
            cut = check(last=True)
        if cut is None:
            return None
        kept, self.done = cut
        columns = len(self.ids) - unread - kept + 1
        self.left -= len(self.ids) - kept + 1
        del self.ids[kept:], self.draws[kept:]
        missing = self.sampling.max_new_tokens - kept
        self.draws += torch.rand(missing, generator=self.stream).tolist()
        return columns


@dataclass
class _Batch:
    """Answers that are decoded together."""

    rows: list[_Row]
    logits: torch.Tensor
    """predictions of each row's next token: (B, V)"""
    cache: DynamicCache
    mask: torch.Tensor
    """left-padded, and 0 for tokens that were taken back: (B, T)"""

    @property
    def unfinished(self) -> list[int]:
        return [place for place, row in enumerate(self.rows) if not row.done]

    @property
    def columns(self) -> torch.Tensor:
        """Columns from each row's first token on: (B,)."""
        return self.mask.shape[1] - self.mask.argmax(1)

    def forget(self, place: int, count: int) -> None:
        """Takes back the row's newest cached tokens: nothing attends to them any more."""
        self.mask[place, self.mask[place].nonzero()[-count:, 0]] = 0


_Waiting = tuple[DecodeRequest, Sampling]


class Decoder:
    """Completions of one model. Requests may be added between any two tokens."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        batch_rows: int,
        end_tokens: Collection[int],
        refill_below: float = REFILL_BELOW,
        stop: Callable[[list[int]], bool] | None = None,
    ) -> None:
        """At most ``batch_rows`` are decoded at once, unless one request has more.

        Waiting requests join as soon as no more than ``refill_below`` of the rows are busy; where
        the model's caches can't be joined, when none is. ``stop`` gets a row's generated ids after
        each token, and ends it by returning True.
        """
        self._model, self._end_tokens, self._stop = model, end_tokens, stop
        self._at_once = tokens_at_once(model) if joinable(model) else None
        self._rows, self._columns = batch_rows, most_columns(model)
        self._refill = 0 if self._at_once is None else refill_below * batch_rows
        self._waiting: deque[_Waiting] = deque()
        self._batch: _Batch | None = None

    @property
    def busy(self) -> bool:
        """True while a completion isn't done."""
        return bool(self._waiting) or self._batch is not None

    def add(self, requests: Iterable[DecodeRequest], sampling: Sampling) -> None:
        """Queues the requests, the longest first."""
        new = [(request, sampling) for request in requests]
        self._waiting = deque(sorted([*self._waiting, *new], key=lambda each: -len(each[0].ids)))

    def step(self) -> list[DecodedAnswer]:
        """Draws one more token of every completion; the finished ones. Only while busy."""
        with torch.inference_mode(), attention_for_decoding(self._model):
            batch = self._batch
            if self._waiting and (batch is None or len(batch.unfinished) <= self._refill):
                batch = self._admit(batch)
                give_back()
            assert batch is not None  # the first request is always admitted
            tokens = _choose(batch)  # (B,)
            done: list[DecodedAnswer] = []
            for place, (row, token) in enumerate(zip(batch.rows, tokens.tolist(), strict=True)):
                if row.done:
                    continue  # not yet dropped from the batch
                if token not in self._end_tokens:
                    row.ids.append(token)
                ended = token in self._end_tokens or (
                    self._stop is not None and self._stop(row.ids)
                )
                row.done = ended or len(row.ids) == row.sampling.max_new_tokens
                columns = row.taken_back(ended=ended, unread=int(token not in self._end_tokens))
                if columns is not None:
                    batch.forget(place, columns)
                    tokens[place] = row.ids[-1] if row.ids else row.last
                    ended = row.done
                if row.done:
                    done.append(DecodedAnswer(row.key, row.number, row.ids, truncated=not ended))
            self._batch = _step(self._model, batch, tokens)
        if not self.busy:
            give_back()
        return done

    def _admit(self, batch: _Batch | None) -> _Batch:
        """The batch joined by as many of the waiting requests as the limits allow.

        The longest come first, so none that joins is longer than the first: rows · (columns in use
        + room) stays within the limit unless one request alone is more.
        """
        kept = [] if batch is None else batch.unfinished
        rows, columns, room = len(kept), 0, 0
        if batch is not None:
            columns = int(batch.columns[kept].max())
            rows_kept = [batch.rows[place] for place in kept]
            room = max(row.sampling.max_new_tokens + row.left for row in rows_kept)
        taken: list[_Waiting] = []
        while self._waiting:
            request, sampling = self._waiting[0]
            rows += len(request.seeds)
            columns = max(columns, len(request.ids))
            most = max(room, request.limit(sampling))
            full = rows > self._rows or rows * (columns + most) > self._columns
            if full and (taken or kept):
                break
            room = most
            taken.append(self._waiting.popleft())
        if batch is not None and not taken:
            return batch
        read = [
            _prefill(self._model, chunk)
            for chunk in chunks(taken, lambda each: len(each[0].ids), self._at_once)
        ]
        return _joined(read if batch is None else [batch, *read], room)


def decode(
    model: PreTrainedModel,
    requests: Iterable[DecodeRequest],
    sampling: Sampling,
    *,
    batch_rows: int,
    end_tokens: Collection[int],
    stop: Callable[[list[int]], bool] | None = None,
) -> Iterator[DecodedAnswer]:
    """Completions as they finish; the options are those of `Decoder`."""
    decoder = Decoder(model, batch_rows=batch_rows, end_tokens=end_tokens, stop=stop)
    decoder.add(requests, sampling)
    with attention_for_decoding(model):  # once, not for each token
        while decoder.busy:
            yield from decoder.step()


def tokens_at_once(model: PreTrainedModel) -> int:
    """`TOKENS_AT_ONCE` on the model's device; any other is taken for a GPU."""
    return TOKENS_AT_ONCE.get(model.device.type, TOKENS_AT_ONCE["cuda"])


def chunks(
    items: Sequence[Item], length: Callable[[Item], int], tokens: int | None
) -> Iterator[list[Item]]:
    """Items, sorted by falling length, in chunks of at most ``tokens`` when padded."""
    chunk: list[Item] = []
    for item in items:
        if chunk and tokens is not None and (len(chunk) + 1) * length(chunk[0]) > tokens:
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


def _prefill(model: PreTrainedModel, waiting: Sequence[_Waiting]) -> _Batch:
    """The prompts, left-padded and read, with a row for each completion."""
    device, padded = model.device, partial(pad_sequence, batch_first=True, padding_side="left")
    prompts = [torch.tensor(request.ids, dtype=torch.long) for request, _ in waiting]
    ids = padded(prompts).to(device)  # (P, T), P prompts
    mask = padded([torch.ones_like(prompt) for prompt in prompts]).to(device)  # (P, T)
    cache = DynamicCache(config=model.config)
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        **cache_option(model, cache),
        # an index, not a count: a slice is not contiguous, and its product with the output
        # embedding then copies that matrix once a row (torch 2.13 on the CPU)
        logits_to_keep=torch.tensor([ids.shape[1] - 1], device=device),
    ).logits  # (P, 1, V)
    rows = []
    for request, sampling in waiting:
        for number, seed in enumerate(request.seeds):
            stream = torch.Generator().manual_seed(seed)
            draws = torch.rand(sampling.max_new_tokens, generator=stream).tolist()
            row = _Row(request.key, number, sampling, draws, stream, request.ids[-1])
            if request.check:
                row.check, row.left = request.check(), spare(sampling)
            rows.append(row)
    copies = torch.tensor([len(request.seeds) for request, _ in waiting], device=device)
    places = torch.arange(len(waiting), device=device).repeat_interleave(copies)  # (B,)
    cache.batch_select_indices(places)
    return _Batch(rows, logits[places, -1], cache, mask[places])


def _joined(parts: Sequence[_Batch], room: int) -> _Batch:
    """One batch of the unfinished rows of all parts, with room for an answer of each."""
    kept = [torch.tensor(part.unfinished, device=part.mask.device) for part in parts]
    masks = [part.mask[rows] for part, rows in zip(parts, kept, strict=True)]
    columns = [int(part.columns[rows].max()) for part, rows in zip(parts, kept, strict=True)]
    padded = [
        torch.nn.functional.pad(mask[:, -needed:], (max(columns) - needed, 0))
        for mask, needed in zip(masks, columns, strict=True)
    ]
    caches = [part.cache for part in parts]
    return _Batch(
        rows=[part.rows[place] for part in parts for place in part.unfinished],
        logits=torch.cat([part.logits[rows] for part, rows in zip(parts, kept, strict=True)]),
        cache=with_room(list(zip(caches, kept, columns, strict=True)), room),
        mask=torch.cat(padded),
    )


def _step(model: PreTrainedModel, batch: _Batch, tokens: torch.Tensor) -> _Batch | None:
    """The batch after reading its new tokens (B,); None where every row is done."""
    kept = batch.unfinished
    if not kept:
        return None
    if len(kept) <= COMPACT_BELOW * len(batch.rows):
        places = torch.tensor(kept, device=tokens.device)
        batch.cache.batch_select_indices(places)
        batch.rows = [batch.rows[place] for place in kept]
        batch.mask, tokens = batch.mask[places], tokens[places]
    batch.mask = torch.cat([batch.mask, batch.mask.new_ones(len(batch.rows), 1)], dim=1)
    batch.logits = model(
        input_ids=tokens[:, None],
        attention_mask=batch.mask,
        position_ids=batch.mask.sum(1, keepdim=True) - 1,
        **cache_option(model, batch.cache),
    ).logits[:, -1]  # (B, V)
    return batch


def _choose(batch: _Batch) -> torch.Tensor:
    """Each row's next token, drawn by its own settings: (B,)."""
    logits = batch.logits.float()
    for place, row in enumerate(batch.rows):
        if row.check is not None and row.check.holds and not row.done:
            logits[place] = row.check.held(logits[place], row.ids)
    # any number for a row that is done
    draws = torch.tensor([0.0 if row.done else row.draws[len(row.ids)] for row in batch.rows])
    alike: dict[Sampling, list[int]] = {}
    for place, row in enumerate(batch.rows):
        alike.setdefault(row.sampling, []).append(place)
    if len(alike) == 1:
        return choose(logits, draws, batch.rows[0].sampling)
    tokens = logits.new_empty(len(batch.rows), dtype=torch.long)
    for sampling, places in alike.items():
        tokens[places] = choose(logits[places], draws[places], sampling)
    return tokens


def choose(logits: torch.Tensor, draws: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Next tokens (B,) from logits (B, V) and one uniform draw in [0, 1) a row (B,).

    Temperature, then top-k, then top-p (the smallest set whose mass reaches it), then the
    inverse of the cumulative distribution at the draw. Temperature 0 is greedy.
    """
    if sampling.temperature == 0:
        return logits.argmax(-1)
    logits, vocabulary = logits / sampling.temperature, logits.shape[-1]
    if sampling.top_k:
        return _draw(logits, draws, min(sampling.top_k, vocabulary), sampling.top_p)[0]
    # Sorting 49,152 tokens takes longer than predicting them: first the likeliest alone.
    tokens, found = _draw(logits, draws, min(SORTED_FIRST, vocabulary), sampling.top_p, whole=True)
    if not found.all():
        others = ~found
        tokens[others] = _draw(logits[others], draws[others.cpu()], vocabulary, sampling.top_p)[0]
    return tokens


def _draw(
    logits: torch.Tensor, draws: torch.Tensor, first: int, top_p: float, *, whole: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (B,) among the ``first`` likeliest, and whether each is the right one: (B,).

    ``whole``: likelihoods are those among all tokens, so the right one may be less likely than all
    of these.
    """
    top, tokens = logits.topk(first, dim=-1)  # (B, K), sorted
    likelihoods = (top - logits.logsumexp(-1, keepdim=True)).exp() if whole else top.softmax(-1)
    draws = draws.to(likelihoods)[:, None]  # (B, 1)
    cumulative = likelihoods.cumsum(-1)  # (B, K)
    p = torch.where(cumulative - likelihoods < top_p, likelihoods, 0.0)  # (B, K)
    mass = p.sum(-1, keepdim=True) if top_p < 1 else 1.0  # (B, 1)
    place = (p.cumsum(-1) / mass <= draws).sum(-1, keepdim=True)  # (B, 1)
    last = (p > 0).sum(-1, keepdim=True) - 1  # (B, 1)
    reached = cumulative[:, -1:]  # (B, 1)
    found = reached >= top_p if top_p < 1 else reached > draws  # (B, 1)
    return tokens.gather(-1, torch.minimum(place, last)).squeeze(-1), found.squeeze(-1)


# Key/value caches with room for the answer, whose rows can be joined to one batch, and attention
# that reads them without copying.


def most_columns(model: PreTrainedModel) -> int:
    """How many tokens, over all rows, the cache of one batch may hold."""
    limit = CPU_CACHE_BYTES
    if model.device.type == "cuda":
        limit = torch.cuda.mem_get_info(model.device)[0] // 2
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    groups = getattr(config, "num_key_value_heads", None) or heads
    size = 4 if model.device.type == "cpu" else 2  # bytes a number
    return limit // int(2 * config.num_hidden_layers * groups * width * size)


def joinable(model: PreTrainedModel) -> bool:
    """True where every layer attends to all earlier tokens, so that caches can be joined."""
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def cache_option(model: PreTrainedModel, cache: DynamicCache) -> dict[str, DynamicCache]:
    """The cache as an argument of the model's call: ``cache`` since transformers 5.24."""
    called = inspect.signature(model.forward).parameters
    return {"cache" if "cache" in called else "past_key_values": cache}


def with_room(parts: Sequence[tuple[DynamicCache, torch.Tensor, int]], room: int) -> DynamicCache:
    """One cache for the rows of all parts, with ``room`` free columns after them.

    A part is a cache, the rows (B,) wanted of it, and how many of its last columns they need.
    Parts with fewer columns are padded on the left. Several parts must be ``joinable``; of a
    single one, layers that aren't plain only have their rows chosen. The parts are used up: their
    layers are freed one by one.
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
            end, first = row + len(chosen), self._length - columns
            own = layer.keys[:, :, -columns:][chosen], layer.values[:, :, -columns:][chosen]
            self._keys[row:end, :, first : self._length] = own[0].to(self.dtype)
            self._values[row:end, :, first : self._length] = own[1].to(self.dtype)
            row = end
        self._set_views()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new columns after the last ones; both returned as (B, N, T, D) views."""
        end = self._length + key_states.shape[-2]
        self._keys[:, :, self._length : end] = key_states
        self._values[:, :, self._length : end] = value_states
        self._length = end
        return self._set_views()

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep these rows of the batch."""
        self._keys, self._values = self._keys[indices], self._values[indices]
        self._set_views()

    def _set_views(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values of the columns in use, as the model's attention reads them."""
        self.keys = keys = self._keys[:, :, : self._length]
        self.values = values = self._values[:, :, : self._length]
        return keys, values


@contextmanager
def attention_for_decoding(model: PreTrainedModel) -> Iterator[None]:
    """Context in which a CPU model that would use sdpa uses the decoding attention instead."""
    if model.device.type != "cpu" or model.config._attn_implementation != "sdpa":
        yield
        return
    model.set_attn_implementation("ghostbust_decode")
    try:
        yield
    finally:
        model.set_attn_implementation("sdpa")


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
