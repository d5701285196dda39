"""Training in several processes, one for each GPU, under ``accelerate launch``.

Rank 0 does the work of a round as usual. The others wait for its orders: to load the same model
with the same adapter, and for each stage of training the state to start from and the steps to make.
In every step each process takes its part of the micro-batches; the gradients are then summed, not
averaged, since a token's share is its share of the whole step. So all make the same step, and only
rank 0 writes.

With FSDP switched on, the frozen layers are sharded: each process keeps its part of their weights,
and has a layer whole only while it computes it. The adapter is small and stays whole.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ghostbust.errors import TrainingError

if TYPE_CHECKING:
    from accelerate import Accelerator
    from peft import PeftModel

    from ghostbust.unlearners.checkpoint import TrainingState
    from ghostbust.unlearners.masks import Example
    from ghostbust.unlearners.settings import Former, TrainSettings

PATIENCE = timedelta(days=7)
"""how long the others wait for an order: rank 0 may sample and run gates for hours"""


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """To load a model and put a fresh adapter on it."""

    model: str
    cache_dir: Path
    settings: TrainSettings
    beneath: Former | None = None
    """a fixed adapter, in a folder that this process can read"""


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """To make steps."""

    state: TrainingState
    """to start from"""
    steps: list[list[Example]]
    """the answers of each step"""
    total: int
    """steps of the whole training, those made before and those to come included"""
    begun: int
    """steps that members before this one made"""


Order = LoadOrder | TrainOrder | None
"""None: the training is over"""


class Processes:
    """The processes that train together. Made by `together`."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._count: int = accelerator.num_processes

    @property
    def main(self) -> bool:
        """True in rank 0."""
        return bool(self._accelerator.is_main_process)

    @property
    def sharded(self) -> bool:
        """True where each process holds a part of the model: then all compute, or none can."""
        return os.environ.get("ACCELERATE_USE_FSDP", "").lower() in ("1", "true")

    def send(self, order: Order) -> None:
        """Sends an order from rank 0 to the others."""
        self._broadcast(order)

    def receive(self) -> Order:
        """The next order, in any other rank."""
        order: Order = self._broadcast(None)
        return order

    def _broadcast(self, order: Order) -> Any:
        from accelerate.utils import broadcast_object_list

        return broadcast_object_list([order])[0]

    def shard(self, model: PeftModel) -> None:
        """Shards the base's layers; all else moves to this process's device whole."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard
        from torch.distributed.tensor import DTensor

        causal: Any = model.get_base_model()
        kinds = set(causal._no_split_modules or ())
        layers = [module for module in causal.modules() if type(module).__name__ in kinds]
        if not layers:
            raise TrainingError(f"{type(causal).__name__} doesn't say what its layers are")
        device = self._accelerator.device
        mesh = init_device_mesh(device.type, (self._count,))
        for layer in layers:
            trained = {p for p in layer.parameters() if p.requires_grad}
            fully_shard(layer, mesh=mesh, ignored_params=trained)
        for tensor in (*model.parameters(), *model.buffers()):
            if not isinstance(tensor, DTensor):
                tensor.data = tensor.data.to(device)

    def most(self, answers: int, micro_batch: int) -> int:
        """The size of micro-batches with which each process has some."""
        return max(1, min(micro_batch, math.ceil(answers / self._count)))

    def part(self, batches: Sequence[list[Example]]) -> Sequence[list[Example]]:
        """The micro-batches that this process computes; as many in every process.

        An answer of weight 0 fills each gap: with sharded layers, a process that computed less than
        the others would leave them waiting.
        """
        number, count = self._accelerator.process_index, self._count
        idle = [replace(batches[0][0], weight=0.0)]
        return [*batches, *[idle] * (-len(batches) % count)][number::count]

    def add_up(self, parameters: Sequence[torch.nn.Parameter], loss: torch.Tensor) -> torch.Tensor:
        """The sum of all processes' losses, (); each parameter gets the sum of its gradients."""
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(grad.flatten() for grad in grads), loss.float().reshape(1)])
        torch.distributed.all_reduce(flat)
        parts = torch.split(flat[:-1], [grad.numel() for grad in grads])
        for parameter, part in zip(parameters, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        return flat[-1]


@contextmanager
def together() -> Iterator[Processes | None]:
    """The processes that a launcher started, until rank 0 leaves; None where there is one only.

    Where rank 0 leaves with an error, the launcher ends the others.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield None
        return
    from accelerate import Accelerator, InitProcessGroupKwargs

    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)],
    )
    if accelerator.num_processes < 2:
        raise TrainingError("accelerate didn't join the processes that were launched")
    processes = Processes(accelerator)
    yield processes
    if processes.main:
        processes.send(None)
    accelerator.end_training()
