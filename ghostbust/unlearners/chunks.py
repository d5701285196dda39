"""The loss of a micro-batch and its gradient, with logits for a few tokens at a time.

::

    ids (B, T) ─body─▶ hidden (N, H) ─chunks─▶ (m, H) ─head─▶ logits (m, V) ─loss─▶ ()

Whatever loss it is: it is a sum over answers, since its shares are shares of the whole step. So
the output embedding and the loss run forward and backward over one chunk after another, each
leaves the gradient of its hidden states, and the body is gone back through once with all of them.
Nothing is computed twice, and no (N, V) block is ever whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import torch

from ghostbust.models.heads import hidden_at, logits_of
from ghostbust.unlearners.batches import Batch
from ghostbust.unlearners.methods.interface import Method, Tokens, Weights

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

BLOCK = 1 << 24
"""logits in a chunk, about: 64 MB in fp32. Larger ones were no faster on a CPU"""


def backward(model: PeftModel, batch: Batch, method: Method, weights: Weights) -> torch.Tensor:
    """The micro-batch's part of the objective, (), detached; its gradient is added to the adapter.

    The reference is the same model with its adapter switched off; of it the hidden states are kept.
    """
    causal = cast("PreTrainedModel", model.get_base_model())
    inputs = {"input_ids": batch.ids}
    base = None
    if method.reads_base(weights):
        with torch.no_grad(), model.disable_adapter():
            base = hidden_at(causal, inputs, batch.places)  # (N, H)
    hidden = hidden_at(causal, inputs, batch.places)  # (N, H)
    gradient = torch.zeros_like(hidden)
    loss = torch.zeros((), device=hidden.device)
    for rows in chunks(batch, method, causal.config.get_text_config().vocab_size):
        part = hidden.detach()[rows].requires_grad_()  # (m, H)
        base_logits = None
        if base is not None:
            with torch.no_grad():
                base_logits = logits_of(causal, base[rows])  # (m, V)
        tokens = _tokens(batch, rows, logits_of(causal, part), base_logits)
        value, _ = method.loss(tokens, weights)
        if value.requires_grad:
            value.backward()  # type: ignore[no-untyped-call]
            assert part.grad is not None
            gradient[rows] = part.grad
        loss += value.detach()
    hidden.backward(gradient)  # type: ignore[no-untyped-call]
    return loss


def chunks(batch: Batch, method: Method, vocabulary: int) -> Iterator[torch.Tensor]:
    """Indices (m,) below N, chunk by chunk, every token once.

    A loss that is a sum over tokens gets them class by class, at most `BLOCK` logits at once;
    another one whole answers, one at a time.
    """
    if method.by_token:
        key, most = batch.mask, max(1, BLOCK // vocabulary)
    else:
        key, most = batch.row, len(batch.row)
    for value in torch.unique(key):
        yield from (key == value).nonzero().squeeze(-1).split(most)


def _tokens(
    batch: Batch, rows: torch.Tensor, logits: torch.Tensor, base_logits: torch.Tensor | None
) -> Tokens:
    """The tokens of a chunk, its answers numbered from 0."""
    there, answer = torch.unique(batch.row[rows], return_inverse=True)
    return Tokens(
        logits=logits,
        base_logits=base_logits,
        targets=batch.targets[rows],
        mask=batch.mask[rows],
        share=batch.share[rows],
        answer=answer,
        answer_share=batch.answer_share[there],
        ends=batch.ends[rows],
    )
