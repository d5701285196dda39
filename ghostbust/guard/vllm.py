"""The guard inside vLLM (0.32 and later), by class path::

    vllm serve … --logits-processors ghostbust.guard.vllm:GuardProcessor

One class for both of vLLM's runners, whose interfaces differ: the new one (Model Runner V2: the
documentation of 0.32, ``vllm.v1.worker.gpu.sample.logits_processor``) hands out slots and the
tokens fed in each step, the older one (``vllm.v1.sample.logits_processor``) updates of its batch.
The older one is tried in a real server (``tests/servers/test_vllm_guard.py``); the new one is
written against its documentation, and was never run.

Registers no entry point: vLLM loads those into every server, and one that fails stops it.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoTokenizer

from ghostbust.errors import UsageError
from ghostbust.guard.continuations import Continuations
from ghostbust.guard.processor import (
    FollowedRequest,
    GuardedRow,
    known_in_server,
    only_ends,
    warn,
    weigh_in_place,
)
from ghostbust.sections import GuardSection

try:
    from vllm.v1.sample.logits_processor import LogitsProcessor as _OfBatches
except ImportError:  # a vLLM without the older runner
    _OfBatches = object
try:
    from vllm.v1.worker.gpu.sample.logits_processor.interface import LogitsProcessor as _OfSlots
except ImportError:  # one without the new runner
    _OfSlots = object

_BASES = tuple(base for base in (_OfSlots, _OfBatches) if base is not object)
if not _BASES:
    raise ImportError("ghostbust.guard.vllm needs vLLM 0.32 or later")


class GuardProcessor(*_BASES):  # type: ignore[misc]
    """The guard of a vLLM server, by the settings of the home of its process.

    ``guard.on_error = "closed"`` ends an answer on which the guard fails; else that answer goes on
    without it.
    """

    def __init__(self, vllm_config: Any, state: Any, is_pin_memory: bool = False) -> None:  # noqa: ARG002
        """``state``: the new runner's requests, or the older one's device.

        Raises UsageError for speculative decoding, ConfigError and SnapshotError as
        `known_in_server`: vLLM doesn't start then.
        """
        if vllm_config.speculative_config is not None:
            raise UsageError(
                "the guard can't follow speculative decoding, which draws several tokens at once:"
                " start vLLM without it, or without the guard"
            )
        self._state = state
        self._known, section = _known(vllm_config.model_config)
        self._closed = section.on_error == "closed"
        self._slots: dict[int, FollowedRequest | None] = {}
        self._batch: dict[int, tuple[FollowedRequest, list[int]]] = {}

    def is_argmax_invariant(self) -> bool:
        """False: it changes which token is the likeliest."""
        return False

    def apply(self, logits: torch.Tensor, ctx: Any = None) -> torch.Tensor:
        """The logits (B, V), changed in place; ``ctx``: the new runner's layout of the rows."""
        try:
            rows = self._rows_of_batch(len(logits)) if ctx is None else self._rows_of_slots(ctx)
            weigh_in_place(rows, logits)
        except Exception as exc:  # noqa: BLE001 (a server goes on, whatever a guard does)
            warn(exc, closed=self._closed)
            if self._closed:
                logits[:] = only_ends(logits, self._known.vocabulary)
        return logits

    # The older runner: rows are places in a batch, whose outputs are lists that grow.

    def update_state(self, batch_update: Any) -> None:
        """Requests that left, came, and changed places, in this order (``BatchUpdate``)."""
        if batch_update is None:
            return
        for place in batch_update.removed:
            self._batch.pop(place, None)
        for place, _, prompt, output in batch_update.added:
            followed = FollowedRequest(self._known, prompt or (), closed=self._closed)
            self._batch[place] = followed, output
        for one, other, direction in batch_update.moved:
            moved, replaced = self._batch.pop(one, None), self._batch.pop(other, None)
            if moved is not None:
                self._batch[other] = moved
            if replaced is not None and direction.name == "SWAP":
                self._batch[one] = replaced

    def _rows_of_batch(self, count: int) -> list[GuardedRow | None]:
        rows: list[GuardedRow | None] = [None] * count
        for place, (followed, output) in self._batch.items():
            new = output[followed.read :]
            # Asynchronous scheduling holds a token's place by -1 until it is known.
            if place < count and -1 not in new:
                followed.follow(new)
                rows[place] = followed.row
        return rows

    # The new runner: requests have slots, and rows are in another order in each step.

    def add_request(self, req_idx: int, sampling_params: Any) -> bool:  # noqa: ARG002
        """A request takes a slot; what was there before is forgotten."""
        self._slots[req_idx] = None
        return True

    def _rows_of_slots(self, ctx: Any) -> list[GuardedRow | None]:
        rows: list[GuardedRow | None] = []
        positions, fed = ctx.pos.tolist(), ctx.input_ids.tolist()
        for slot, position, token in zip(ctx.idx_mapping_np.tolist(), positions, fed, strict=True):
            prompt_tokens = int(self._state.prompt_len.np[slot])
            count = position + 1 - prompt_tokens
            if slot not in self._slots or count < 0:  # a part of the prompt: nothing is drawn
                rows.append(None)
                continue
            followed = self._slots[slot]
            if followed is not None and count == followed.read + 1:
                followed.follow((token,))
            elif followed is None or count != followed.read:
                tokens = self._state.all_token_ids.gpu[slot, : position + 1].tolist()
                followed = FollowedRequest(self._known, tokens[:prompt_tokens], closed=self._closed)
                followed.follow(tokens[prompt_tokens:])
                self._slots[slot] = followed
            rows.append(followed.row)
        return rows


def _known(model: Any) -> tuple[Continuations, GuardSection]:
    """What `known_in_server` knows over the model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(
        model.tokenizer,
        revision=model.tokenizer_revision,
        trust_remote_code=model.trust_remote_code,
    )
    ends: list[int] = []
    for found in (tokenizer.eos_token_id, getattr(model.hf_config, "eos_token_id", None)):
        ends += found if isinstance(found, list) else [] if found is None else [found]
    return known_in_server(tokenizer, ends)
