"""A training step of the engine against the plain loop: time and memory, on the same batch.

The plain loop is what one writes first: the whole (B, T, V) block of logits of model and base in
fp32, log-softmax over all of it, and the objective on the answer tokens. Both are run on a model of
random weights, each in processes of their own, in turn; both begin with the same adapter and the
same answers, and their losses have to agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Literal

from ghostbust.errors import TrainingError

Loop = Literal["plain", "engine"]
CLOSE = 0.02
"""how far apart the two losses may be, relative: bf16 rounds them differently"""
_CHILD = "from ghostbust.bench.loops import child; child()"


@dataclass(frozen=True, slots=True)
class Size:
    """What is trained, on what."""

    vocabulary: int = 151_936
    length: int = 512
    """tokens of each answer with its prompt"""
    batch: int = 4
    """answers in the step, all computed at once"""
    answer_share: float = 0.25
    """share of the tokens that belong to the answer; the rest is its prompt"""
    layers: int = 4
    width: int = 896
    """of the hidden states; 896 with 24 layers is a model of 0.5B"""
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Run:
    """One process: some steps of one loop."""

    loop: Loop
    step_s: float
    """median of its steps, the first one left out"""
    peak_bytes: int
    """the most memory it held: on a GPU what was allocated there, else all that was resident"""
    loaded_bytes: int
    """the same before the first step: libraries, model, adapter"""
    loss: float
    """of the last step"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs of both loops, and the engine's share of the plain loop's time and memory."""

    size: Size
    runs: tuple[Run, ...]

    def step_s(self, loop: Loop) -> float:
        """Seconds a step: the median over the processes."""
        return median(run.step_s for run in self.runs if run.loop == loop)

    def peak_bytes(self, loop: Loop) -> int:
        """The most memory that any of the processes held."""
        return max(run.peak_bytes for run in self.runs if run.loop == loop)

    @property
    def time_ratio(self) -> float:
        """The engine's time a step by the plain loop's."""
        return self.step_s("engine") / self.step_s("plain")

    @property
    def memory_ratio(self) -> float:
        """The engine's peak by the plain loop's, libraries and model included in both."""
        return self.peak_bytes("engine") / self.peak_bytes("plain")


def compare(
    size: Size, *, repeats: int, steps: int, heard: Callable[[Run], None] | None = None
) -> Comparison:
    """Both loops in turn, each ``repeats`` times in a fresh process, ``steps`` timed steps each.

    Raises TrainingError where a process fails, or where the two don't compute the same loss.
    """
    runs: list[Run] = []
    for _ in range(repeats):
        for loop in ("plain", "engine"):
            runs.append(_in_a_process(size, loop, steps))
            if heard is not None:
                heard(runs[-1])
    check_losses(*runs[:2])
    return Comparison(size, tuple(runs))


def check_losses(plain: Run, own: Run) -> None:
    """Raises TrainingError where the two loops don't compute the same."""
    if not abs(own.loss - plain.loss) <= CLOSE * abs(plain.loss):
        raise TrainingError(
            f"the engine's loss is {own.loss:.5f} and the plain loop's {plain.loss:.5f}: "
            "they don't compute the same"
        )


def _in_a_process(size: Size, loop: Loop, steps: int) -> Run:
    told = json.dumps({"size": asdict(size), "loop": loop, "steps": steps})
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], input=told, capture_output=True, text=True, check=False
    )
    if done.returncode:
        why = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise TrainingError(f"the {loop} loop failed, for want of memory perhaps: {why}")
    return Run(**json.loads(done.stdout.splitlines()[-1]))
