"""Progress on standard error: what runs, how far it is, how fast, how long it will take."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ghostbust.cli.output import Output, cell
from ghostbust.shown import visible


class Stages:
    """One line for each stage of a long command; a terminal sees bars, a log sees lines."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=output.aside,
            disable=not output.aside.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def begin(self, what: str) -> None:
        """The next stage, which has no end in sight until it says one."""
        self._close()
        self._task = self._bars.add_task(visible(what), total=None, rate="")
        if not self._output.aside.is_terminal:
            self._output.aside.print(cell(what))

    def advance(self, done: int, total: int) -> None:
        """How far the stage is."""
        if self._task is not None:
            speed = self._current().speed
            rate = f"{speed:.1f}/s" if speed else ""
            self._bars.update(self._task, completed=done, total=total, rate=rate)

    def step(self, number: int, of: int, loss: float) -> None:
        """A training step."""
        self.advance(number, of)
        if self._task is not None:
            self._bars.update(self._task, rate=f"loss {loss:.2f}")

    def _close(self) -> None:
        if self._task is not None:
            done = self._current().completed or 1
            self._bars.update(self._task, total=done, completed=done)

    def _current(self) -> Task:
        return next(task for task in self._bars.tasks if task.id == self._task)
