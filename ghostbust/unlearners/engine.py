"""Training a LoRA adapter on masked answers, with assertions that it really trained.

The loss of a micro-batch is in ``chunks.py``, what makes one in ``batches.py``.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ghostbust.errors import TrainingError
from ghostbust.models.load import LoadedModel, give_back, peft_warnings_silenced
from ghostbust.unlearners.checkpoint import (
    Checkpoint,
    Former,
    Progress,
    Snapshot,
    examples_id,
    lay_beneath,
    take_over,
)
from ghostbust.unlearners.data import (
    Totals,
    backward,
    compute_in_place,
    deal_steps,
    make_batch,
    micro_batches,
)
from ghostbust.unlearners.masks import CLASSES, IGNORE, Example, with_end_apart
from ghostbust.unlearners.methods import method_named
from ghostbust.unlearners.processes import Processes, Stretch
from ghostbust.unlearners.settings import TrainSettings

if TYPE_CHECKING:
    from peft import PeftModel

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What training did."""

    steps: int
    losses: tuple[float, ...]
    """the objective at each step"""
    moved: float
    """L2 norm of the adapter's change"""
    train_s: float


def add_adapter(
    loaded: LoadedModel, settings: TrainSettings, former: Former | None = None
) -> PeftModel:
    """The model with a fresh LoRA adapter that changes nothing yet; seeded.

    With a ``former`` adapter, the model has what that one does: by the weights that train, or
    by fixed ones beneath them. Raises TrainingError where it doesn't fit.
    """
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    names = {name.rsplit(".", 1)[-1] for name, _ in loaded.model.named_modules()}
    targets = [t for t in TARGETS if t in names]
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=0.0,
        use_rslora=settings.rslora,
        target_modules=targets or "all-linear",
        task_type="CAUSAL_LM",
    )
    with peft_warnings_silenced():
        model = get_peft_model(loaded.model, config)
    if former is not None:
        (lay_beneath if former.fixed else take_over)(model, former.folder)
    compute_in_place(model)
    if settings.checkpointing:
        _checkpoint(loaded)
    return model


def _checkpoint(loaded: LoadedModel) -> None:
    """Sets the model to keep no activations but at the borders of its layers."""
    try:
        loaded.model.activation_checkpointing_enable({"use_reentrant": False})
    except ValueError as exc:
        raise TrainingError(f"{loaded.name}: {exc}; set training.checkpointing to false") from exc
    # The frozen embeddings' output has no gradient otherwise, and some ways of checkpointing then
    # leave the adapter without one too.
    loaded.model.enable_input_require_grads()  # type: ignore[no-untyped-call]


def distance(a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> float:
    """The Euclidean distance of two adapters' weights."""
    changes = (one - other for one, other in zip(a, b, strict=True))
    return math.sqrt(sum(float(change.float().pow(2).sum()) for change in changes))


class Trainer:
    """An adapter under training, stretch by stretch; the optimizer's state lives on between them.

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
        """``on_step`` hears (step, of, loss).

        With a ``checkpoint``, the same calls after an interruption pass over what was done before
        it and go on from there, to the same weights. ``processes`` share each step's answers.
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
        self._begun = 0  # steps made before the training under way, by members before it
        self._processes = processes
        self._checkpoint = checkpoint
        self._past = Progress() if checkpoint is None else checkpoint.load()
        self._ends: list[Snapshot] = []
        self._started = time.monotonic()

    @property
    def steps(self) -> int:
        """How many optimizer steps were made."""
        return len(self._losses)

    def begin_anew(self, start: Sequence[torch.Tensor], seed: int) -> None:
        """Train from other weights, with a new optimizer; the seed orders the examples.

        The steps of before still count, but not for the learning rate.
        """
        self.blend(start, start, 0.0)
        self._optimizer = self._new_optimizer()
        self._seed = seed
        self._begun = len(self._losses)

    def _new_optimizer(self) -> torch.optim.Optimizer:
        settings = self._settings
        return torch.optim.AdamW(
            self._parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

    def run(self, examples: Sequence[Example], *, to_come: int = 0) -> None:
        """Train on the examples, every epoch in a new order; ``to_come`` more steps may follow.

        Raises TrainingError where the first examples hold nothing to unlearn, and where a loss is
        not finite.
        """
        if not self._losses:
            _check_masks(examples)
        if self._method.ends_apart:
            examples = [with_end_apart(example) for example in examples]
        settings = self._settings
        steps = list(
            deal_steps(
                examples,
                answers_per_step=settings.answers_per_step,
                epochs=settings.epochs,
                seed=self._seed,
            )
        )
        total = len(self._losses) + len(steps) + to_come
        steps = steps[self._resume(examples_id(examples)) :]
        if self._processes is not None:
            self._processes.order(Stretch(self._snapshot(), steps, total, self._begun))
        for _ in self._make(steps, total):
            if self._on_step is not None:
                self._on_step(len(self._losses), total, self._losses[-1])
            if self._checkpoint is not None and not len(self._losses) % self._checkpoint.every:
                now = Progress(tuple(self._ends), examples_id(examples), self._snapshot())
                self._checkpoint.save(now)
        if self._checkpoint is not None:
            # Training goes on from the last end only; of those before it the weights are enough.
            self._ends = [replace(end, optimizer={}) for end in self._ends] + [self._snapshot()]
            if steps:  # else the file has this already, and perhaps more
                self._checkpoint.save(Progress(tuple(self._ends)))
        give_back()

    def follow(self, stretch: Stretch) -> None:
        """Make the steps that rank 0 makes, from the state that it begins with."""
        self._restore(stretch.state)
        self._begun = stretch.begun
        for _ in self._make(stretch.steps, stretch.total):
            pass

    def _make(self, steps: Sequence[list[Example]], total: int) -> Iterator[None]:
        """The steps, with a pause behind each; ``total`` with those before and those to come."""
        # Dropout of the base would be noise between it and the model, so the model is in training
        # mode only where it must be: transformers checkpoints in no other.
        self._model.train(self._settings.checkpointing)
        for step in steps:
            self._step(step, total)
            yield
        self._model.eval()

    def _resume(self, examples: str) -> int:
        """How many steps of the next stretch were made before; the state is that behind them."""
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

    def _snapshot(self) -> Snapshot:
        # Copied, the state too: the optimizer's own dict holds the tensors that it changes.
        return Snapshot(
            tuple(self._losses), self.weights(), copy.deepcopy(self._optimizer.state_dict())
        )

    def _restore(self, snapshot: Snapshot) -> None:
        self._losses = list(snapshot.losses)
        self.blend(snapshot.weights, snapshot.weights, 0.0)
        if snapshot.optimizer:
            self._optimizer.load_state_dict(snapshot.optimizer)

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
        ``last`` (1): from a fresh start, the change of the model's weights is ``share`` times that
        of ``last``.
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
        settings = self._settings
        totals, device = Totals.of(step), self._parameters[0].device
        loss, processes = torch.zeros((), device=device), self._processes
        most = settings.micro_batch
        if processes is not None:
            most = processes.most(len(step), most)
        batches: Sequence[list[Example]] = list(micro_batches(step, most))
        for examples in batches if processes is None else processes.part(batches):
            batch = make_batch(examples, totals, self._marks, device)
            loss += backward(self._model, batch, self._method, settings.weights)
        if processes is not None:
            loss = processes.add_up(self._parameters, loss)
        return float(loss)


def count_steps(examples: int, settings: TrainSettings) -> int:
    """How many optimizer steps so many examples make, all epochs together."""
    return settings.epochs * math.ceil(examples / settings.answers_per_step)


def _check_masks(examples: Sequence[Example]) -> None:
    if not any(example.forgets for example in examples):
        raise TrainingError("nothing to unlearn: no answer of the forget set has a masked token")
