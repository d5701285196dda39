"""The progress of an unfinished training: one file, complete or not there.

An interrupted training goes on from it, to the very weights of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from ghostbust.errors import HomeError
from ghostbust.files import clear_unfinished, whole_file
from ghostbust.records import content_id
from ghostbust.unlearners.masks import Example

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TrainingState:
    """A training at some step. The number of losses says at which: one per step."""

    losses: tuple[float, ...]
    weights: list[torch.Tensor]
    """of the adapter, in the order of the model's parameters"""
    optimizer: dict[str, Any]
    """torch's state of it; empty where nothing is trained on from here"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training got."""

    ends: tuple[TrainingState, ...] = ()
    """the end of each finished stage"""
    examples: str = ""
    """`examples_id` of the unfinished stage; empty: there is none"""
    now: TrainingState | None = None
    """the unfinished stage after some of its steps; None before the first ones"""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file that holds a training's progress."""

    path: Path
    key: str
    """of model, settings and answers; the progress of another training is ignored"""
    every: int = field(default=20, kw_only=True)
    """steps from one save to the next"""

    def save(self, progress: Progress) -> None:
        """Replaces the file, atomically. Raises HomeError where the disk refuses."""
        state = {
            "format": FORMAT,
            "key": self.key,
            "ends": [_row(end) for end in progress.ends],
            "examples": progress.examples,
            "now": None if progress.now is None else _row(progress.now),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with whole_file(self.path) as aside, aside.open("wb") as file:
                torch.save(state, file)
        except OSError as exc:
            raise HomeError(f"can't save the training to {self.path}: {exc.strerror}") from exc

    def load(self) -> Progress:
        """The saved progress; none where there is no file, or that of another training.

        Raises HomeError for a file that can't be read.
        """
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] != FORMAT or state["key"] != self.key:
                return Progress()
            now = state["now"]
            return Progress(
                tuple(_state_of(end) for end in state["ends"]),
                state["examples"],
                None if now is None else _state_of(now),
            )
        except FileNotFoundError:
            return Progress()
        except (OSError, RuntimeError, UnpicklingError, EOFError, KeyError, TypeError) as exc:
            raise HomeError(
                f"{self.path} can't be read, so training can't go on from it; remove it"
            ) from exc


def _row(state: TrainingState) -> dict[str, Any]:
    return {"losses": list(state.losses), "weights": state.weights, "optimizer": state.optimizer}


def _state_of(row: dict[str, Any]) -> TrainingState:
    return TrainingState(tuple(row["losses"]), row["weights"], row["optimizer"])


def clear_checkpoint(path: Path) -> None:
    """Removes the file, and the unfinished one that a killed process left beside it."""
    path.unlink(missing_ok=True)
    clear_unfinished(path.parent, path.name)


def examples_id(examples: Sequence[Example]) -> str:
    """A hash of these examples in this order."""
    return content_id(*(repr(example) for example in examples))
