"""The guard inside SGLang (0.5), as a custom logit processor that each request names.

``RequestGuard.to_str()`` is what a request gives as ``custom_logit_processor``. It holds the
place of this class, not its code, so ghostbust must be installed beside the server, which runs with
``--enable-custom-logit-processor --disable-overlap-schedule``.

Written against 0.5.23 and tried with that version's own code around the call
(``srt/layers/sampler.py``), not in a running server: SGLang has no build for processors on PyPI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

import torch
from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

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
from ghostbust.samplers.vocabulary import Tokenizer, Vocabulary
from ghostbust.sections import GuardSection

_KEPT = "_ghostbust"
"""attribute of a request that holds its `_Request`, which so ends with it"""


class RequestGuard(CustomLogitProcessor):  # type: ignore[misc]
    """The guard of SGLang's requests that ask for it, by the settings of the home of its process.

    Such a request must have ``custom_params``, ``{}`` at least. ``guard.on_error = "closed"`` ends
    an answer on which the guard fails; else that answer goes on without it.
    """

    def __call__(
        self,
        logits: torch.Tensor,
        custom_param_list: Sequence[Mapping[str, Any] | None] | None = None,
    ) -> torch.Tensor:
        """The logits (B, V), changed in place; one mapping a row, with its request in it."""
        try:
            rows = [
                _row_of(params, logits[at]) for at, params in enumerate(custom_param_list or ())
            ]
            weigh_in_place(rows, logits)
        except Exception as exc:  # noqa: BLE001 (a server goes on, whatever a guard does)
            warn(exc, closed=False)
        return logits


class _Request:
    """What is kept of a request of the server."""

    def __init__(self, request: Any) -> None:
        self._closed = False
        self._ends = frozenset(request.eos_token_ids or ())
        self._followed: FollowedRequest | None = None
        self._failed = False

    def row(self, request: Any, logits: torch.Tensor) -> GuardedRow | None:
        """The row, once it has read what is new; None where the guard fails on this request.

        ``logits``: of its next token (V,); then only what ends the answer is left there, if the
        answer is to end.
        """
        if not self._failed:
            try:
                return self._read(request)
            except Exception as exc:  # noqa: BLE001 (a server goes on, whatever a guard does)
                warn(exc, closed=self._closed)
                self._failed = True
        if self._closed:
            logits[:] = only_ends(logits, Vocabulary((), self._ends))
        return None

    def _read(self, request: Any) -> GuardedRow:
        followed, due = self._followed, 1
        if followed is None:
            known, section = _known(request.tokenizer, self._ends)
            self._closed = section.on_error == "closed"
            prompt = list(request.origin_input_ids)
            followed, due = FollowedRequest(known, prompt, closed=self._closed), 0
            self._followed = followed
        new = list(request.output_ids[followed.read :])
        if len(new) != due:
            raise UsageError(
                "SGLang draws tokens before it says which were the last ones: start it with"
                " --disable-overlap-schedule, and without speculative decoding"
            )
        followed.follow(new)
        return followed.row


def _row_of(params: Mapping[str, Any] | None, logits: torch.Tensor) -> GuardedRow | None:
    """The row of a request; None where it goes on without a guard, or ends for its failure."""
    request = (params or {}).get("__req__")
    if request is None:
        _ask_for_params()
        return None
    if getattr(request, "inflight_middle_chunks", 0):  # a part of the prompt: nothing is drawn
        return None
    kept: _Request | None = getattr(request, _KEPT, None)
    if kept is None:
        kept = _Request(request)
        setattr(request, _KEPT, kept)
    return kept.row(request, logits)


@cache
def _ask_for_params() -> None:
    """Says once that requests must carry the mapping by which SGLang hands them over."""
    warn(UsageError("a request names the guard without custom_params, {} at least"), closed=False)


@lru_cache(maxsize=2)
def _known(
    tokenizer: Tokenizer | None, end_tokens: frozenset[int]
) -> tuple[Continuations, GuardSection]:
    """What `known_in_server` knows over the server's tokenizer."""
    if tokenizer is None:
        raise UsageError("the guard needs a tokenizer: start SGLang without --skip-tokenizer-init")
    own = getattr(tokenizer, "eos_token_id", None)
    ends = {*end_tokens, *([] if own is None else [own])}
    return known_in_server(tokenizer, ends)
