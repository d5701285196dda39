"""Training a LoRA adapter on masked answers, with assertions that it really trained.

Logits are computed only at answer tokens, the reference is the same model with its adapter
switched off, and answers of similar length share a micro-batch.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch

from ghostbust.errors import TrainingError
from ghostbust.models.heads import logits_at
from ghostbust.models.load import LoadedModel, peft_warnings_silenced
from ghostbust.unlearners.masks import END, FORGET, IGNORE, RETAIN, Example, with_end_apart
from ghostbust.unlearners.methods import DEFAULT, method_named
from ghostbust.unlearners.methods.interface import Tokens, Weights

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How a round trains. Rates are per optimizer step."""

    method: str = DEFAULT
    """name of one of ``methods.METHODS``"""
    rank: int = 16
    alpha: int = 32
    learning_rate: float = 6e-4
    warmup_steps: int = 5
    weight_decay: float = 0.01
    clip: float = 1.0
    epochs: int = 1
    answers_per_step: int = 5
    micro_batch: int = 4
    """answers computed at once; twice as many need about twice the memory"""
    weights: Weights = field(default_factory=lambda: method_named(DEFAULT).weights)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What training did."""

    steps: int
    losses: tuple[float, ...]
    """the objective at each step"""
    moved: float
    """L2 norm of the adapter's change"""
    train_s: float


def add_adapter(loaded: LoadedModel, settings: TrainSettings) -> PeftModel:
    """The model with a fresh LoRA adapter that changes nothing yet; seeded."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    names = {name.rsplit(".", 1)[-1] for name, _ in loaded.model.named_modules()}
    targets = [t for t in TARGETS if t in names]
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        target_modules=targets or "all-linear",
        task_type="CAUSAL_LM",
    )
    with peft_warnings_silenced():
        return get_peft_model(loaded.model, config)


class Trainer:
    """An adapter under training, stretch by stretch; the optimizer's state lives on between them.

    Trains the model's adapter in place.
    """

    def __init__(
        self,
        model: PeftModel,
        settings: TrainSettings,
        on_step: Callable[[int, int, float], None] | None = None,
    ) -> None:
        """``on_step`` hears (step, of, loss)."""
        self._model = model
        self._settings = settings
        self._method = method_named(settings.method)
        self._on_step = on_step
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._before = self.weights()
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self._losses: list[float] = []
        self._started = time.monotonic()

    @property
    def steps(self) -> int:
        """How many optimizer steps were made."""
        return len(self._losses)

    def run(self, examples: Sequence[Example], *, to_come: int = 0) -> None:
        """Train on the examples, every epoch in a new order; ``to_come`` more steps may follow.

        Raises TrainingError where the first examples hold nothing to unlearn, and where a loss is
        not finite.
        """
        if not self._losses:
            _check_masks(examples)
        if self._method.ends_apart:
            examples = [with_end_apart(example) for example in examples]
        steps = list(_steps(examples, self._settings))
        total = len(self._losses) + len(steps) + to_come
        self._model.train()
        for step in steps:
            self._step(step)
            if self._on_step is not None:
                self._on_step(len(self._losses), total, self._losses[-1])
        self._model.eval()

    def weights(self) -> list[torch.Tensor]:
        """A copy of the adapter's weights."""
        return [p.detach().clone() for p in self._parameters]

    def blend(
        self, first: Sequence[torch.Tensor], last: Sequence[torch.Tensor], share: float
    ) -> None:
        """Set the adapter's weights to a point on the line from ``first`` (0) to ``last`` (1)."""
        with torch.no_grad():
            for parameter, a, b in zip(self._parameters, first, last, strict=True):
                parameter.copy_(torch.lerp(a, b, share))

    def result(self) -> TrainResult:
        """What the training did. Raises TrainingError where the adapter didn't move."""
        changes = (p - b for p, b in zip(self.weights(), self._before, strict=True))
        moved = math.sqrt(sum(float(change.float().pow(2).sum()) for change in changes))
        if not moved > 0:
            raise TrainingError("training left the adapter as it was: no gradient reached it")
        return TrainResult(
            len(self._losses), tuple(self._losses), moved, time.monotonic() - self._started
        )

    def _step(self, step: list[Example]) -> None:
        settings, number = self._settings, len(self._losses) + 1
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * min(1.0, number / settings.warmup_steps)
        totals = _totals(step)
        anchored = self._method.reads_base(settings.weights)
        loss = 0.0
        for batch in _micro_batches(step, settings.micro_batch):
            tokens = _forward(self._model, batch, totals, anchored=anchored)
            batch_loss, _ = self._method.loss(tokens, settings.weights)
            batch_loss.backward()  # type: ignore[no-untyped-call]
            loss += float(batch_loss.detach())
        if not math.isfinite(loss):
            raise TrainingError(f"the loss became {loss} at step {number}: lower the learning rate")
        torch.nn.utils.clip_grad_norm_(self._parameters, settings.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._losses.append(loss)


def count_steps(examples: int, settings: TrainSettings) -> int:
    """How many optimizer steps so many examples make, all epochs together."""
    return settings.epochs * math.ceil(examples / settings.answers_per_step)


@dataclass(frozen=True, slots=True)
class _Totals:
    """What the shares of a step are shares of, each answer counted with its weight."""

    tokens: dict[int, float]
    """by mask value"""
    forgetting: float
    """answers that hold FORGET tokens"""


def _totals(step: list[Example]) -> _Totals:
    return _Totals(
        {
            mark: sum(example.weight * example.mask.count(mark) for example in step)
            for mark in (IGNORE, RETAIN, FORGET, END)
        },
        sum(example.weight for example in step if example.forgets),
    )


def _forward(model: PeftModel, batch: list[Example], totals: _Totals, *, anchored: bool) -> Tokens:
    """Predictions of the answer tokens of a micro-batch, and the base's where needed."""
    device = next(model.parameters()).device
    causal = cast("PreTrainedModel", model.get_base_model())
    longest = max(len(example.ids) for example in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)  # (B, T), right-padded
    attention = torch.zeros_like(ids)
    rows: list[int] = []
    columns: list[int] = []
    mask: list[int] = []
    share: list[float] = []
    ends: list[bool] = []
    for number, example in enumerate(batch):
        ids[number, : len(example.ids)] = torch.tensor(example.ids)
        attention[number, : len(example.ids)] = 1
        rows += [number] * len(example.mask)
        columns += range(example.start, len(example.ids))
        mask += example.mask
        share += [example.weight / totals.tokens[mark] for mark in example.mask]
        if example.mask:
            ends += [False] * (len(example.mask) - 1) + [example.ended]
    row = torch.tensor(rows, dtype=torch.long)  # (N,)
    column = torch.tensor(columns, dtype=torch.long)  # (N,)
    inputs = {"input_ids": ids.to(device), "attention_mask": attention.to(device)}
    places = (row.to(device), column.to(device) - 1)  # a token is predicted one place before
    base = None
    if anchored:
        with torch.no_grad(), model.disable_adapter():
            base = logits_at(causal, inputs, places)
    return Tokens(
        logits=logits_at(causal, inputs, places),
        base_logits=base,
        targets=ids[row, column].to(device),
        mask=torch.tensor(mask, device=device),
        share=torch.tensor(share, device=device),
        answer=places[0],
        answer_share=torch.tensor(
            [example.weight / totals.forgetting if example.forgets else 0.0 for example in batch],
            device=device,
        ),
        ends=torch.tensor(ends, dtype=torch.bool, device=device),
    )


def _check_masks(examples: Sequence[Example]) -> None:
    if not any(example.forgets for example in examples):
        raise TrainingError("nothing to unlearn: no answer of the forget set has a masked token")


def _steps(examples: Sequence[Example], settings: TrainSettings) -> Iterator[list[Example]]:
    """The answers of each optimizer step: every epoch in a new seeded order.

    Answers to forget, repaired ones and the others are dealt evenly, so that every step sees
    about as much of each: by chance alone some saw no invention at all.
    """
    rng = random.Random(settings.seed)  # noqa: S311
    for _ in range(settings.epochs):
        order = list(examples)
        rng.shuffle(order)
        order.sort(key=lambda example: (example.forgets, example.repaired))
        count = math.ceil(len(order) / settings.answers_per_step)
        steps = [order[first::count] for first in range(count)]
        rng.shuffle(steps)
        yield from steps


def _micro_batches(step: list[Example], size: int) -> Iterator[list[Example]]:
    """Answers of similar length together."""
    by_length = sorted(step, key=lambda example: len(example.ids))
    for start in range(0, len(by_length), size):
        yield by_length[start : start + size]
