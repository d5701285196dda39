"""The adapter's product in the precision of the base, its weights kept in fp32.

peft casts the input of every adapted layer to fp32, and its product back: on a CPU with bf16
matrix units, and on a GPU, that costs more than the product itself. Here the two small matrices
are cast instead, and the product is added to the base layer's result where it stands. The weights,
their gradients and the optimizer's state stay fp32.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from peft.tuners.lora.layer import Linear, LoraVariant

from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import hidden_at, logits_of
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.masks import (
    CLASSES,
    FORGET,
    FORK,
    Example,
    encode_answer,
    encode_repaired,
    standing_in,
)
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.methods.interface import Method, Tokens, Weights
from ghostbust.unlearners.sets import Kinds, is_usable, spread
from ghostbust.unlearners.settings import TrainSettings

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


# --- examples
# Which examples a stretch of training has, and what each of them weighs.
#
# Answers of three kinds: they invent, or name real packages only, or name nothing. Likelihood
# keeps
# the number of names only where the kinds weigh what they do in nature, an answer with inventions
#  by
# its repaired form. A set isn't so: half of it invents, to learn as much as can be from a few
# answers. So each kind is weighed back (docs/log.md, 2026-11-28).

TRIM_SHARE = 0.3
"""share of the answers that is kept for trimming the volume, where it can be measured"""


@dataclass(frozen=True, slots=True)
class Nature:
    """How often a model gives each kind of answer, for each with inventions."""

    naming: float
    silent: float

    @classmethod
    def of(cls, answers: Iterable[Answer]) -> Self:
        """As the answers have it; where none invents, as if one did."""
        kinds = Kinds.of([answer for answer in answers if is_usable(answer)])
        inventing = max(1, len(kinds.inventing))
        return cls(len(kinds.naming) / inventing, len(kinds.silent) / inventing)


def part(sets: SetSplit, seed: int) -> tuple[list[Answer], list[Answer]]:
    """The answers to begin with and those kept for the trim, alike in contexts and kinds."""
    main: list[Answer] = []
    rest: list[Answer] = []
    for answers in (sets.forget, sets.retain):
        order = sorted(answers, key=lambda answer: answer.sample.id)
        random.Random(seed).shuffle(order)  # noqa: S311
        order = spread(order)
        kept = round(TRIM_SHARE * len(order))
        main += order[kept:]
        rest += order[:kept]
    return main, rest


def encode(
    loaded: LoadedModel, answers: Sequence[Answer], settings: TrainSettings, nature: Nature
) -> list[Example]:
    """The answers, and those with inventions once more without them, if they weigh anything."""
    kinds, repair = Kinds.of(answers), settings.weights.repair
    examples = encode_kinds(loaded, kinds, settings, nature, inventing=len(kinds.inventing))
    if repair:
        examples += [encode_repaired(loaded, one, weight=repair) for one in kinds.inventing]
    return examples


def encode_kinds(
    loaded: LoadedModel,
    kinds: Kinds,
    settings: TrainSettings,
    nature: Nature,
    *,
    inventing: float,
    besides: Nature | None = None,
    most: float = math.inf,
) -> list[Example]:
    """The answers as they are: those with inventions weigh 1, each other kind together what it does
    in nature beside ``inventing`` of them, and what it stands in for ``besides``, a weight of each
    kind; one answer at most so much. Without a weight, 1.
    """
    masking, weights = method_named(settings.method).masking, settings.weights
    examples: list[Example] = []
    more = besides or Nature(0, 0)
    for kind, natural, lost, factor in (
        (kinds.inventing, 0.0, 0.0, 1.0),
        (kinds.naming, nature.naming * inventing, more.naming, weights.naming),
        (kinds.silent, nature.silent * inventing, more.silent, weights.silent),
    ):
        count = max(1, len(kind))
        each = min(most, factor * (natural + lost) / count)
        examples += [
            standing_in(
                encode_answer(loaded, answer, weight=each or 1.0, masking=masking),
                min(most, lost / count),
            )
            for answer in kind
        ]
    return examples


def encode_rest(
    loaded: LoadedModel,
    rest: Sequence[Answer],
    settings: TrainSettings,
    nature: Nature,
    repair: float | None,
) -> list[Example]:
    """The same for the last stretch; for None, to raise the volume, what names only real packages.

    What suppresses keeps a model silent that is silent already, whatever repaired forms weigh.
    """
    naming = Kinds.of(rest).naming
    if repair is not None or not naming:
        weights = replace(settings.weights, repair=repair or 0.0)
        return encode(loaded, rest, replace(settings, weights=weights), nature)
    return [encode_answer(loaded, answer) for answer in naming] * (len(rest) // len(naming))


# --- batches
# Which answers make a step and a micro-batch, and a micro-batch as tensors.


def deal_steps(
    examples: Sequence[Example], *, answers_per_step: int, epochs: int, seed: int
) -> Iterator[list[Example]]:
    """The answers of each optimizer step: every epoch in a new seeded order.

    Answers to forget, repaired ones and each weight of the others are dealt evenly, so that every
    step sees about as much of each: by chance alone some saw no invention at all. Bare code comes
    on top of ``answers_per_step``.
    """
    rng = random.Random(seed)  # noqa: S311
    for _ in range(epochs):
        order = [example for example in examples if not example.bare]
        bare = [example for example in examples if example.bare]
        rng.shuffle(order)
        order.sort(key=lambda example: (example.forgets, example.repaired, example.weight))
        count = math.ceil(len(order) / answers_per_step)
        dealt = [order[first::count] for first in range(count)]
        rng.shuffle(dealt)
        yield from (step + bare[number::count] for number, step in enumerate(dealt))


def micro_batches(step: Sequence[Example], most: int) -> Iterator[list[Example]]:
    """Answers of similar length together, at most so many, about as many in each."""
    by_length = sorted(step, key=lambda example: len(example.ids))
    count = math.ceil(len(by_length) / most)
    for number in range(count):
        start, stop = (len(by_length) * end // count for end in (number, number + 1))
        yield by_length[start:stop]


@dataclass(frozen=True, slots=True)
class Totals:
    """What the shares of a step are shares of, each answer counted with its weight."""

    tokens: dict[int, float]
    """by mask value; a FORK token is a share of the FORGET tokens, if those are more: it stands in
    the place of one, and weighs as much"""
    forgetting: float
    """answers that hold FORGET tokens"""

    @classmethod
    def of(cls, step: Sequence[Example]) -> Totals:
        """The totals of all answers of a step."""
        tokens = {
            mark: sum(example.weight_of(mark) * example.mask.count(mark) for example in step)
            for mark in CLASSES
        }
        tokens[FORK] = max(tokens[FORK], tokens[FORGET])
        return cls(
            tokens,
            sum(example.weight for example in step if example.forgets),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """A micro-batch: B answers behind their prompts, and the N of their tokens that are read."""

    ids: torch.Tensor
    """token ids, right-padded: (B, T)"""
    row: torch.Tensor
    """which answer each token belongs to: (N,)"""
    column: torch.Tensor
    """where it stands: (N,); it is predicted one place before"""
    targets: torch.Tensor
    """the tokens themselves: (N,)"""
    mask: torch.Tensor
    """tri-mask: (N,)"""
    share: torch.Tensor
    """what each token weighs in the mean of its class over the step: (N,)"""
    answer_share: torch.Tensor
    """what each answer weighs in the mean over the answers that forget: (B,)"""
    ends: torch.Tensor
    """True at the end token of an answer: (N,)"""

    @property
    def places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the tokens are predicted: rows and columns, each (N,)."""
        return self.row, self.column - 1


def make_batch(
    examples: Sequence[Example], totals: Totals, marks: frozenset[int], device: torch.device
) -> Batch:
    """The answers as tensors; of their tokens those whose mask value is among ``marks``."""
    longest = max(len(example.ids) for example in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)  # (B, T)
    tokens: list[tuple[int, int, int, float, bool]] = []
    for number, example in enumerate(examples):
        ids[number, : len(example.ids)] = torch.tensor(example.ids)
        last = len(example.ids) - 1 if example.ended else -1
        tokens += [
            (number, column, mark, example.weight_of(mark) / totals.tokens[mark], column == last)
            for column, mark in enumerate(example.mask, example.start)
            if mark in marks
        ]
    row, column, mask = (
        torch.tensor([token[:3] for token in tokens], dtype=torch.long).reshape(-1, 3).T
    )
    forgetting = [example.weight * example.forgets for example in examples]
    return Batch(
        ids=ids.to(device),
        row=row.to(device),
        column=column.to(device),
        targets=ids[row, column].to(device),
        mask=mask.to(device),
        share=torch.tensor([token[3] for token in tokens], device=device),
        answer_share=torch.tensor(
            [weight / totals.forgetting if weight else 0.0 for weight in forgetting], device=device
        ),
        ends=torch.tensor([token[4] for token in tokens], dtype=torch.bool, device=device),
    )


# --- chunks
# The loss of a micro-batch and its gradient, with logits for a few tokens at a time.
#
# ::
#
#     ids (B, T) ─body─▶ hidden (N, H) ─chunks─▶ (m, H) ─head─▶ logits (m, V) ─loss─▶ ()
#
# Whatever loss it is: it is a sum over answers, since its shares are shares of the whole step. So
# the output embedding and the loss run forward and backward over one chunk after another, each
# leaves the gradient of its hidden states, and the body is gone back through once with all of
# them.
# Nothing is computed twice, and no (N, V) block is ever whole.

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


# --- lora
# The adapter's product in the precision of the base, its weights kept in fp32.
#
# peft casts the input of every adapted layer to fp32, and its product back: on a CPU with bf16
# matrix units, and on a GPU, that costs more than the product itself. Here the two small matrices
# are cast instead, and the product is added to the base layer's result where it stands. The
# weights,
# their gradients and the optimizer's state stay fp32.


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


class _InPlace(LoraVariant):
    """The way that an adapted layer of peft takes instead of its own."""

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


def compute_in_place(model: PeftModel) -> None:
    """Lets every plain linear layer of a LoRA without dropout and bias add its product so.

    Other layers stay as peft has them. Only for training and for answering while training: such
    layers can't be merged.
    """
    for module in model.modules():
        if type(module) is Linear and not module.lora_variant:
            module.cast_input_dtype_enabled = False
            for adapter in module.lora_A:
                module.lora_variant[adapter] = _InPlace()
