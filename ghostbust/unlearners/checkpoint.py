"""What an unfinished training goes on from: one file, complete or not there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ghostbust.errors import HomeError
from ghostbust.records import content_id
from ghostbust.unlearners.masks import Example

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training at some step. Which step it is, the losses say: there is one for each."""

    losses: tuple[float, ...]
    weights: list[torch.Tensor]
    """of the adapter, in the order of the model's parameters"""
    optimizer: dict[str, Any]
    """its state, as torch has it; empty where nothing is trained on from here"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training came."""

    ends: tuple[Snapshot, ...] = ()
    """the end of each stretch that was finished"""
    examples: str = ""
    """which examples the stretch under way has, `examples_id`; empty: none is under way"""
    now: Snapshot | None = None
    """the stretch under way after some of its steps; None before the first ones"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file that holds a training's progress."""

    path: Path
    key: str
    """of model, settings and answers; what another training left is passed over"""
    every: int = field(default=20, kw_only=True)
    """steps from one save to the next"""

    def save(self, progress: Progress) -> None:
        """Replaces the file, at once. Raises HomeError where the disk refuses."""
        state = {
            "format": FORMAT,
            "key": self.key,
            "ends": [_plain(end) for end in progress.ends],
            "examples": progress.examples,
            "now": None if progress.now is None else _plain(progress.now),
        }
        aside = self.path.with_name(self.path.name + ".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with aside.open("wb") as file:
                torch.save(state, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
        except OSError as exc:
            raise HomeError(f"can't save the training to {self.path}: {exc.strerror}") from exc

    def load(self) -> Progress:
        """What was saved; no progress where nothing was, or by another training.

        Raises HomeError for a file that can't be read.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] != FORMAT or state["key"] != self.key:
                return Progress()
            now = state["now"]
            return Progress(
                tuple(_snapshot(end) for end in state["ends"]),
                state["examples"],
                None if now is None else _snapshot(now),
            )
        except FileNotFoundError:
            return Progress()
        except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as exc:
            raise HomeError(
                f"{self.path} can't be read, so training can't go on from it; remove it"
            ) from exc

    def clear(self) -> None:
        """Removes the file: the training is done."""
        clear_checkpoint(self.path)


def clear_checkpoint(path: Path) -> None:
    """Removes the file, and what a killed process had written of the next, where they are there."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".part").unlink(missing_ok=True)


def examples_id(examples: Sequence[Example]) -> str:
    """Which examples these are, in this order."""
    return content_id(*(repr(example) for example in examples))


def _plain(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "losses": list(snapshot.losses),
        "weights": snapshot.weights,
        "optimizer": snapshot.optimizer,
    }


def _snapshot(row: dict[str, Any]) -> Snapshot:
    return Snapshot(tuple(row["losses"]), row["weights"], row["optimizer"])
