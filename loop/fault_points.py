"""Where a process is killed: at a call of one of ghostbust's functions, chosen beforehand.

A recorder counts, stage by stage, which functions a process calls; a killer ends its own process
with SIGKILL at one of those calls. Nothing of ghostbust's own code knows of either.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

_ROOT: Final = str(Path(__file__).parents[1])
_ROUNDS: Final = str(Path("store") / "rounds.py")

Calls = Mapping[str, Mapping[str, int]]
"""how often each function was called, by stage"""


@dataclass(frozen=True, slots=True)
class Point:
    """A call at which a process is killed."""

    stage: str
    """the state of the round at that time, or ``before`` it began; another job's name"""
    function: str
    """file and name"""
    occurrence: int
    """the how manyth call of the function in that stage, from 1"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What came of one point."""

    point: Point
    died: bool
    """whether the process was killed there; False where it ended before it came to the call"""
    breaches: tuple[str, ...]
    """what should hold and doesn't; none is well"""
    wall_s: float


class Trace:
    """Follows this thread's calls of ghostbust's functions, and may end its process at one."""

    def __init__(self, stage: str, deadly: Point | None = None) -> None:
        self.calls: dict[str, Counter[str]] = {}
        self._stage = stage
        self._deadly = deadly

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside, calls are followed."""
        sys.settrace(self._see)
        try:
            yield
        finally:
            sys.settrace(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_name == "<module>" or not code.co_filename.startswith(_ROOT):
            return
        # A state counts from the moment in which it is about to be written.
        if code.co_filename.endswith(_ROUNDS):
            if code.co_name == "_set_state":
                self._stage = str(frame.f_locals["state"])
            elif code.co_name == "start":
                self._stage = "started"
        function = f"{Path(code.co_filename).name}:{code.co_qualname}"
        counted = self.calls.setdefault(self._stage, Counter())
        counted[function] += 1
        if self._deadly == Point(self._stage, function, counted[function]):
            os.kill(os.getpid(), signal.SIGKILL)


def draw_points(calls: Calls, stages: Sequence[str], count: int, seed: int) -> list[Point]:
    """So many points, the stages in turn; in a stage each function is as likely as another.

    Where it is called most would else be where nearly all points are.
    """
    draw = random.Random(seed)  # noqa: S311
    points = []
    for number in range(count):
        stage = stages[number % len(stages)]
        function = draw.choice(sorted(calls[stage]))
        points.append(Point(stage, function, draw.randint(1, calls[stage][function])))
    return points
