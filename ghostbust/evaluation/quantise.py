"""Weights rounded as quantised storage would round them, and put back.

A simulation: weights are rounded to the nearest of 2·levels + 1 evenly spaced values, symmetric
about 0, and kept in the model's own type. What a served model of that size would compute with its
own kernels and formats differs in details: GGUF's Q8_0 has a scale for each 32 weights, Q4_0 one in
fp16 and 16 values that aren't symmetric. As in those files, norms and biases stay as they are; the
embeddings stay too, which some files also round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ghostbust.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Scheme:
    """How weights are rounded."""

    name: str
    bits: int
    group: int | None
    """neighbouring inputs of one output that share a scale; None: all inputs of an output"""

    @property
    def levels(self) -> int:
        """The largest integer that a weight becomes: 127 for 8 bits, 7 for 4."""
        return int(2 ** (self.bits - 1) - 1)


SCHEMES = (Scheme("int8", 8, None), Scheme("int4 by 32", 4, 32), Scheme("int4 by 64", 4, 64))


def rounded(weight: torch.Tensor, scheme: Scheme) -> torch.Tensor:
    """The nearest weights that the scheme can hold: (O, I), in the weights' own type.

    Each differs from its weight by half a step at most, before it is rounded to that type; a step
    is the largest magnitude of the group, divided by ``scheme.levels``. Non-finite weights make
    their group so.
    """
    outputs, inputs = weight.shape
    size = scheme.group or inputs
    padded = torch.nn.functional.pad(weight.float(), (0, -inputs % size))  # (O, I')
    groups = padded.view(outputs, -1, size)  # (O, G, size)
    step = groups.abs().amax(-1, keepdim=True) / scheme.levels  # (O, G, 1)
    step = torch.where(step == 0, 1.0, step)
    back = (groups / step).round().clamp(-scheme.levels, scheme.levels) * step
    return back.view(outputs, -1)[:, :inputs].to(weight.dtype)


@torch.no_grad()
def quantise(model: PreTrainedModel, scheme: Scheme) -> str:
    """Rounds all linear weights but the output embedding's, in place; says what that changed.

    Raises ModelError where the model has none.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    layers = [
        module
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    ]
    if not layers:
        raise ModelError("the model has no linear layers whose weights could be quantised")
    error = total = 0.0
    for layer in layers:
        before = layer.weight.float()
        layer.weight.copy_(rounded(layer.weight, scheme))
        error += float((layer.weight.float() - before).pow(2).sum())
        total += float(before.pow(2).sum())
    return f"{len(layers)} matrices, off by {(error / total) ** 0.5:.2%} of their norm"
