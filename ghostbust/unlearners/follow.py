"""What the processes beside rank 0 do, ``processes.py``."""

from __future__ import annotations

from ghostbust.models.load import load_model
from ghostbust.unlearners.engine import Trainer, add_adapter
from ghostbust.unlearners.processes import Begin, Processes, Stretch


def follow(processes: Processes) -> None:
    """What every rank but 0 does: as it is told, until it is over."""
    trainer: Trainer | None = None
    while (order := processes.hear()) is not None:
        match order:
            case Begin(model, cache_dir, settings, beneath):
                # rank 0 may have had another device chosen; here it is the one of this rank
                loaded = load_model(model, cache_dir, device="cpu" if processes.sharded else None)
                adapted = add_adapter(loaded, settings, beneath)
                if processes.sharded:
                    processes.shard(adapted)
                trainer = Trainer(adapted, settings, processes=processes)
            case Stretch() as stretch if trainer is not None:
                trainer.follow(stretch)
