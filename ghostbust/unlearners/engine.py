"""Training a LoRA adapter on masked answers, with checks that it really trained.

The trainer makes optimizer steps; `backward` is the loss and gradient of a micro-batch.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import torch

from ghostbust.errors import TrainingError
from ghostbust.models.load import give_back
from ghostbust.models.pair import hidden_at, logits_of
from ghostbust.unlearners.checkpoint import Checkpoint, Progress, TrainingState, examples_id
from ghostbust.unlearners.data import Batch, Totals, deal_steps, make_batch, micro_batches
from ghostbust.unlearners.masks import CLASSES, IGNORE, Example, with_end_apart
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.processes import Processes, TrainOrder
from ghostbust.unlearners.settings import TrainSettings, Weights

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What training did."""

    steps: int
    losses: tuple[float, ...]
    """the objective at each step"""
    moved: float
    """L2 norm of the adapter's change"""
    train_s: float


class Trainer:
    """An adapter under training, stage by stage; the optimizer's state is kept between them.

    Trains the model's adapter in place.
    """

    def __init__(
        self,
        model: PeftModel,
        settings: TrainSettings,
        on_step: Callable[[int, int, float], None] | None = None,
        checkpoint: Checkpoint | None = None,
        processes: Processes | None = None,
    ) -> None:
        """``on_step`` is called with (step, of, loss).

        With a ``checkpoint``, the same calls after an interruption skip what was done before it and
        go on from there, to the same weights. ``processes`` share each step's answers.
        """
        self._model = model
        self._settings = settings
        self._method = method_named(settings.method)
        self._on_step = on_step
        anchored = self._method.anchored and settings.weights.anchor > 0
        self._marks = frozenset(CLASSES) - (frozenset() if anchored else {IGNORE})
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self._names, self._parameters = [name for name, _ in trained], [p for _, p in trained]
        self._before = self.weights()
        self._optimizer = self._new_optimizer()
        self._seed = settings.seed
        self._losses: list[float] = []
        self._begun = 0  # steps made by earlier members
        self._processes = processes
        self._checkpoint = checkpoint
        self._past = Progress() if checkpoint is None else checkpoint.load()
        self._ends: list[TrainingState] = []
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
        if not self._losses and not any(example.forgets for example in examples):
            raise TrainingError("nothing to unlearn: no token of the forget set is masked")
        if self._method.ends_apart:
            examples = [with_end_apart(example) for example in examples]
        steps = list(
            deal_steps(
                examples,
                answers_per_step=self._settings.answers_per_step,
                epochs=self._settings.epochs,
                seed=self._seed,
            )
        )
        total = len(self._losses) + len(steps) + to_come
        steps = steps[self._resume(examples_id(examples)) :]
        if self._processes is not None:
            self._processes.send(TrainOrder(self._state(), steps, total, self._begun))
        for _ in self._make(steps, total):
            if self._on_step is not None:
                self._on_step(len(self._losses), total, self._losses[-1])
            if self._checkpoint is not None and not len(self._losses) % self._checkpoint.every:
                now = Progress(tuple(self._ends), examples_id(examples), self._state())
                self._checkpoint.save(now)
        if self._checkpoint is not None:
            # Training goes on from the last end only; of earlier ones the weights are enough.
            self._ends = [replace(end, optimizer={}) for end in self._ends] + [self._state()]
            if steps:  # else the file has this already, and perhaps more
                self._checkpoint.save(Progress(tuple(self._ends)))
        give_back()

    def obey(self, order: TrainOrder) -> None:
        """Makes the steps that rank 0 makes, from the same state, in another rank."""
        self._restore(order.state)
        self._begun = order.begun
        for _ in self._make(order.steps, order.total):
            pass

    def begin_anew(self, start: Sequence[torch.Tensor], seed: int) -> None:
        """Go back to these weights, with a new optimizer, for another member of a soup.

        The seed orders its examples. Earlier steps still count, but not for the learning rate.
        """
        self.blend(start, start, 0.0)
        self._optimizer = self._new_optimizer()
        self._seed = seed
        self._begun = len(self._losses)

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

    def go_beyond(
        self, first: Sequence[torch.Tensor], last: Sequence[torch.Tensor], share: float
    ) -> None:
        """Set A to that of ``last``, and B to a point on the line from ``first`` (0) through
        ``last`` (1).

        From a fresh start, the model's weights then change ``share`` times as much as by ``last``.
        """
        self.blend(first, last, share)
        with torch.no_grad():
            for name, parameter, a in zip(self._names, self._parameters, last, strict=True):
                if "lora_A" in name:
                    parameter.copy_(a)

    def result(self) -> TrainResult:
        """What the training did. Raises TrainingError where the adapter didn't move."""
        moved = distance(self.weights(), self._before)
        if not moved > 0:
            raise TrainingError("training left the adapter as it was: no gradient reached it")
        return TrainResult(
            len(self._losses), tuple(self._losses), moved, time.monotonic() - self._started
        )

    def _new_optimizer(self) -> torch.optim.Optimizer:
        settings = self._settings
        return torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def _make(self, steps: Sequence[list[Example]], total: int) -> Iterator[None]:
        """Makes the steps and pauses after each; ``total`` counts earlier and later ones too."""
        # Dropout of the base would be noise between it and the model, so the model is in training
        # mode only where it must be: transformers checkpoints activations in no other.
        self._model.train(self._settings.checkpointing)
        for step in steps:
            self._step(step, total)
            yield
        self._model.eval()

    def _step(self, step: list[Example], total: int) -> None:
        settings, number = self._settings, len(self._losses) + 1
        made, whole = len(self._losses) - self._begun, total - self._begun
        share = min(1.0, (made + 1) / settings.warmup_steps) * (1 - made / whole)
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * share
        loss = self._backward(step)
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, settings.clip))
        for what, value in (("loss", loss), ("gradient", norm)):
            if not math.isfinite(value):
                raise TrainingError(
                    f"the {what} became {value} at step {number}: lower the learning rate"
                )
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._losses.append(loss)

    def _backward(self, step: Sequence[Example]) -> float:
        """The step's objective; its gradient is in the parameters."""
        totals, device = Totals.of(step), self._parameters[0].device
        loss, processes = torch.zeros((), device=device), self._processes
        most = self._settings.micro_batch
        if processes is not None:
            most = processes.most(len(step), most)
        batches: Sequence[list[Example]] = list(micro_batches(step, most))
        for examples in batches if processes is None else processes.part(batches):
            batch = make_batch(examples, totals, self._marks, device)
            loss += backward(self._model, batch, self._method, self._settings.weights)
        if processes is not None:
            loss = processes.add_up(self._parameters, loss)
        return float(loss)

    def _resume(self, examples: str) -> int:
        """Steps of the next stage that were made before an interruption; restores their state."""
        past, number = self._past, len(self._ends)
        if number < len(past.ends):
            self._restore(past.ends[number])
            begun = len(past.ends[number - 1].losses) if number else 0
            return len(self._losses) - begun
        if number == len(past.ends) and past.now is not None and past.examples == examples:
            begun = len(self._losses)
            self._restore(past.now)
            return len(self._losses) - begun
        return 0

    def _state(self) -> TrainingState:
        # Copied, the optimizer's state too: its own dict holds the tensors that it changes.
        return TrainingState(
            tuple(self._losses), self.weights(), copy.deepcopy(self._optimizer.state_dict())
        )

    def _restore(self, state: TrainingState) -> None:
        self._losses = list(state.losses)
        self.blend(state.weights, state.weights, 0.0)
        if state.optimizer:
            self._optimizer.load_state_dict(state.optimizer)


def distance(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> float:
    """The Euclidean distance of two adapters' weights."""
    changes = (one - other for one, other in zip(a, b, strict=True))
    return math.sqrt(sum(float(change.float().pow(2).sum()) for change in changes))


# The loss of a micro-batch and its gradient, with logits for a few tokens at a time:
#
#     ids (B, T) ─body─▶ hidden (N, H) ─chunks─▶ (m, H) ─head─▶ logits (m, V) ─loss─▶ ()
#
# Every loss is a sum over answers, since its shares are shares of the whole step. So the output
# embedding and the loss run forward and backward one chunk after another, each chunk leaves the
# gradient of its hidden states, and one backward pass takes all of them through the body. Nothing
# is computed twice, and no (N, V) block is ever whole.

BLOCK = 1 << 24
"""logits in a chunk, about: 64 MB in fp32. Larger ones were no faster on a CPU"""


def backward(model: PeftModel, batch: Batch, method: Method, weights: Weights) -> torch.Tensor:
    """The micro-batch's part of the objective, (), detached; its gradient is added to the adapter.

    The reference is the same model with its adapter switched off; its hidden states are kept.
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
        answers, answer = torch.unique(batch.row[rows], return_inverse=True)  # (A,), (m,)
        tokens = Tokens(
            logits=logits_of(causal, part),  # (m, V)
            base_logits=base_logits,
            targets=batch.targets[rows],
            mask=batch.mask[rows],
            share=batch.share[rows],
            answer=answer,
            answer_share=batch.answer_share[answers],
        )
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
