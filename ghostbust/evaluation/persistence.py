"""PERSISTENCE: whether the suppression is still there when the model has been changed.

Each change is made to a fresh copy of the base and to one with the adapter merged in, and both are
measured, so that the adapter isn't credited with what the change itself does to the rate.

Quantisation rounds linear weights as a GGUF file of that type stores them, and puts them back in
the model's own type. A server's kernels also round activations. As in those files, norms and biases
stay as they are; the embeddings stay too, which most files also round.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

from ghostbust.errors import ModelError, TrainingError, UsageError
from ghostbust.evaluation.behaviour import Measure, Row, compare
from ghostbust.evaluation.locality import answer_passage, padded, side_by_side
from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import Apart, ModelSide, logits_at
from ghostbust.records import Answer
from ghostbust.samplers.local import LocalSampler

AS_IT_IS = "as it is"
QUANTISED: Final = (
    GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q4_0
)  # fmt: skip
"""GGUF types of 8 and 4 bits a weight, each with scales for 32 inputs of an output"""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Something that happens to a model after it was made."""

    name: str
    apply: Callable[[LoadedModel], str]
    """changes the model in place and says in a few words what it did"""


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Ordinary fine-tuning of all weights: next-token likelihood on whole texts, AdamW."""

    steps: int = 50
    learning_rate: float = 1e-5
    texts_per_step: int = 4
    longest_tokens: int = 512
    """of a longer text the rest is left out"""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class MergeDifference:
    """How a merged model differs from the one with its adapter kept apart."""

    largest: float
    """largest absolute difference of any logit"""
    mean: float
    """mean absolute difference of a logit"""
    same_choice: float
    """share of the places where both find the same token likeliest"""
    places: int


def changes(texts: Sequence[str], tuning: FineTuning | None = None) -> tuple[ModelChange, ...]:
    """No change, quantisation to 8 and 4 bits, and fine-tuning on the texts."""
    tune = partial(fine_tune, texts=texts, tuning=tuning or FineTuning())
    return (
        ModelChange(AS_IT_IS, lambda _: ""),
        *(ModelChange(kind.name, partial(quantise, kind=kind)) for kind in QUANTISED),
        ModelChange("fine-tuned", tune),
    )


def persistence(
    load: Callable[[bool], LoadedModel],
    measure: Measure,
    what: Sequence[ModelChange],
    *,
    adapter: str,
    seed: int = 0,
) -> list[Row]:
    """A row for each change, the base and the adapted model both changed.

    ``load`` gives a fresh model each time: with True the one with the adapter merged in.
    Samples carry the change in their adapter's name, so that nobody takes them for the base's own.
    Raises what ``load``, ``measure`` and the changes raise.
    """
    found = []
    for change in what:
        sides = []
        for adapted in (False, True):
            loaded = load(adapted)
            note = change.apply(loaded)
            name = adapter if adapted else None
            if change.name != AS_IT_IS:
                name = f"{name or 'base'}, {change.name}"
            sides.append(measure(LocalSampler(loaded, name)))
        found.append(compare(change.name, *sides, note=note, seed=seed))
    return found


def kept_apart(
    apart: Apart, base: Sequence[Answer], measure: Measure, *, adapter: str, seed: int = 0
) -> Row:
    """The row of the adapter kept apart from the weights; ``base`` are the base's answers."""
    answers = measure(LocalSampler(apart.loaded, f"{adapter}, kept apart"))
    return compare("kept apart", base, answers, seed=seed)


def merge_difference(
    apart: Apart, merged: LoadedModel, answers: Sequence[Answer]
) -> MergeDifference:
    """How far apart the logits of both are at each token of the answers.

    Raises UsageError where the answers have no tokens.
    """
    passages = [answer_passage(merged, answer) for answer in answers]
    found = side_by_side(apart.adapted, ModelSide(merged.model), passages, _differences)
    if not any(len(part) for part in found):
        raise UsageError("the answers that merged and unmerged are to be compared on are empty")
    values = torch.cat([part for part in found if len(part)])  # (N, 3)
    return MergeDifference(
        largest=float(values[:, 0].max()),
        mean=float(values[:, 1].mean()),
        same_choice=float(values[:, 2].mean()),
        places=len(values),
    )


def rounded(weight: torch.Tensor, kind: GGMLQuantizationType) -> torch.Tensor:
    """What a GGUF file of the type holds of the weights: (O, I), in their own type.

    Rows that don't end with a block are filled up with their last weight, which moves no scale.
    Non-finite weights make their block so.
    """
    size, _ = GGML_QUANT_SIZES[kind]
    inputs = weight.shape[-1]
    rows = np.pad(weight.float().cpu().numpy(), ((0, 0), (0, -inputs % size)), mode="edge")
    with np.errstate(all="ignore"):
        back = dequantize(quantize(rows, kind), kind)  # (O, I')
    return torch.from_numpy(back[:, :inputs]).to(weight)


@torch.no_grad()
def quantise(loaded: LoadedModel, kind: GGMLQuantizationType) -> str:
    """Rounds all linear weights but the output embedding's, in place; says what that changed.

    Raises ModelError where the model has none.
    """
    model = loaded.model
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
        layer.weight.copy_(rounded(layer.weight, kind))
        error += float((layer.weight.float() - before).pow(2).sum())
        total += float(before.pow(2).sum())
    return f"{len(layers)} matrices, off by {(error / total) ** 0.5:.2%} of their norm"


def fine_tune(loaded: LoadedModel, texts: Sequence[str], tuning: FineTuning) -> str:
    """Trains all weights of the model on the texts, in place; says how the loss went.

    In float32, and back to the model's own type at the end: in bf16 a step of 1e-5 is lost in
    rounding. Needs some 16 bytes a weight meanwhile. Raises UsageError where no text has two
    tokens, and TrainingError where the loss becomes no number.
    """
    model, dtype = loaded.model, loaded.model.dtype
    encoded = [loaded.encode(text)[: tuning.longest_tokens] for text in texts]
    usable = [ids for ids in encoded if len(ids) > 1]
    if not usable:
        raise UsageError("there is no text to fine-tune on")
    model.float()  # type: ignore[no-untyped-call]
    model.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=tuning.learning_rate, weight_decay=0.01)
    losses: list[float] = []
    for batch in _batches(usable, tuning):
        loss = _next_token_loss(loaded, batch)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise TrainingError(f"fine-tuning's loss became {losses[-1]}; lower its learning rate")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    model.requires_grad_(False)
    model.to(dtype).eval()  # type: ignore[arg-type]
    course = f"loss {losses[0]:.3f} -> {losses[-1]:.3f}"
    return f"{tuning.steps} steps of {tuning.learning_rate:g}, {course}"


def _differences(apart: torch.Tensor, merged: torch.Tensor) -> torch.Tensor:
    """Largest and mean absolute difference, 1 where the choice is the same: (n, 3)."""
    gap = (apart - merged).abs()  # (n, V)
    same = (apart.argmax(-1) == merged.argmax(-1)).float()  # (n,)
    return torch.stack([gap.amax(-1), gap.mean(-1), same], dim=-1)


def _batches(encoded: Sequence[list[int]], tuning: FineTuning) -> Iterator[list[list[int]]]:
    """The texts of each step: all of them in a new order, again and again."""
    rng = random.Random(tuning.seed)  # noqa: S311
    waiting: list[list[int]] = []
    for _ in range(tuning.steps):
        while len(waiting) < tuning.texts_per_step:
            waiting += rng.sample(list(encoded), len(encoded))
        yield waiting[: tuning.texts_per_step]
        del waiting[: tuning.texts_per_step]


def _next_token_loss(loaded: LoadedModel, batch: Sequence[list[int]]) -> torch.Tensor:
    """Mean −log p of all tokens but each text's first: ()."""
    inputs = padded(batch, loaded.device)  # (B, T)
    row, column = inputs["attention_mask"][:, 1:].nonzero(as_tuple=True)  # (N,) each
    logits = logits_at(loaded.model, inputs, (row, column))  # (N, V)
    return torch.nn.functional.cross_entropy(logits, inputs["input_ids"][row, column + 1])
