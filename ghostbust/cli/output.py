"""What commands print and write: tables, lines and progress for people, JSON for programs, files.

Results go to standard output; progress and notes go to standard error. Names and texts that
come from models, files or registries pass through `visible` or `cell` on their way to the
terminal: an escape code in them is shown, never obeyed. rich is imported with the first line that
people get: a program's JSON needs none of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

from ghostbust.documents import json_text
from ghostbust.text import visible
from ghostbust.times import in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID
    from rich.table import Table
    from rich.text import Text

PIPED_WIDTH = 160
"""columns of a table whose reader is no terminal and says nothing of its width"""


def cell(text: object, style: str = "") -> Text:
    """Any text, for a table or a line: made `visible`, brackets in it are no markup."""
    from rich.text import Text

    return Text(visible(str(text)), style)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; long cells go on in the next line, so that no name is cut."""
    from rich.box import SIMPLE
    from rich.table import Table

    made = Table(box=SIMPLE, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


class Output:
    """Where one run of a command prints. Colours follow the terminal and NO_COLOR."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet

    @cached_property
    def result(self) -> Console:
        """Standard output, for people: swallows everything where the result is JSON.

        Strings are printed as they are, without markup.
        """
        return _console(stderr=False, quiet=self.as_json)

    @cached_property
    def aside(self) -> Console:
        """Standard error, for progress and notes: swallows everything under ``--quiet``."""
        return _console(stderr=True, quiet=self.quiet)

    def names_in_full(self, reveal: bool) -> bool:
        """Whether names that nobody has registered are printed whole: the rule for all commands.

        They are a shopping list for squatters, but no secret from those whose model invents them.
        So a terminal shows them, and what may leave the machine has them shortened, unless
        ``reveal``: JSON, a pipe, a file. Exports, reports, logs and notifications don't ask here:
        they leave the machine wherever they are made.
        """
        return reveal or (not self.as_json and sys.stdout.isatty())

    def note(self, text: str) -> None:
        """One line on standard error, not under ``--quiet``."""
        self.aside.print(cell(text), soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """One line of the result, for people."""
        self.result.print(cell(text, style), soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Iterable[object]],
        *,
        title: str | None = None,
        ranked: Sequence[str] = (),
    ) -> None:
        """A table of the result, for people. None is an empty cell; a `cell` keeps its style.

        ``ranked``: columns that are left out whole where they don't fit, the most important first.
        """
        from rich.text import Text

        lines = [
            [one if isinstance(one, Text) else cell("" if one is None else one) for one in row]
            for row in rows
        ]
        kept = _fitting(columns, lines, ranked, self.result.width)
        made = table(*(columns[n] for n in kept), title=title)
        for line in lines:
            made.add_row(*(line[n] for n in kept))
        self.result.print(made)

    def document(self, document: Mapping[str, object]) -> None:
        """The result as one JSON document; prints nothing where JSON wasn't asked for."""
        if self.as_json:
            print_json(document, indent=2)


GAP = 3
"""characters between two columns of a `table`"""


def _fitting(
    columns: Sequence[str], lines: Sequence[Sequence[Text]], ranked: Sequence[str], width: int
) -> list[int]:
    """The places of the columns that are shown: each ranked one only if it fits whole."""
    wide = [
        GAP + max([len(name), *(line[n].cell_len for line in lines)])
        for n, name in enumerate(columns)
    ]
    kept = [n for n, name in enumerate(columns) if name not in ranked]
    for n in map(columns.index, ranked):
        if sum(wide[other] for other in kept) + wide[n] <= width:
            kept.append(n)
    return sorted(kept)


def print_json(document: Mapping[str, object], *, indent: int | None = None) -> None:
    """Prints a JSON object in plain ASCII, so that no character of it moves a terminal."""
    sys.stdout.write(json_text(document, indent=indent) + "\n")


def _console(*, stderr: bool, quiet: bool) -> Console:
    from rich.console import Console

    class OurConsole(Console):
        def on_broken_pipe(self) -> None:
            """Leaves the error to the edge; rich would exit with 1, which means findings here."""
            raise

    console = OurConsole(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console


LOG_EVERY_S = 60.0
"""between two lines on the same stage where standard error is no terminal"""


class Stages:
    """Progress on standard error: a terminal gets a bar, a log gets lines.

    A stage that is over leaves a line on a terminal. In a log each stage has a line when it begins,
    and one a minute that says how far it is and about how long it still takes.
    """

    def __init__(self, output: Output, now: Callable[[], float] = time.monotonic) -> None:
        """``now``: a clock in seconds."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._output = output
        self._now = now
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
        self._stage: TaskID | None = None
        self._what = ""
        self._began = self._logged = 0.0
        self._first: tuple[int, float] | None = None
        """what was done at the first report of the stage, and when that was; None before"""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, what: str) -> None:
        """The next stage. How long it is, `advance` says first; the stage before is complete."""
        self._end()
        self._what, self._began, self._first = what, self._now(), None
        self._logged = self._began
        self._stage = self._bars.add_task(visible(what), total=None, rate="")
        if not self._output.aside.is_terminal:
            self._output.aside.print(cell(what))

    def _end(self) -> None:
        """Puts a line in the place of the bar of the stage that is over."""
        if self._stage is None:
            return
        done = round(self._bars.tasks[-1].completed)
        self._bars.remove_task(self._stage)
        if self._output.aside.is_terminal:
            took = in_words(self._now() - self._began)
            many = f", {done:,} of {done:,}" if done else ""
            self._output.aside.print(cell(f"✓ {self._what}{many} ({took})"), soft_wrap=True)

    def advance(self, done: int, total: int) -> None:
        """How far the stage is."""
        if self._stage is None:
            return
        speed = self._bars.tasks[-1].speed
        rate = f"{speed:.1f}/s" if speed else ""
        self._bars.update(self._stage, completed=done, total=total, rate=rate)
        self._log(done, total)

    def _log(self, done: int, total: int) -> None:
        """A line a minute where there is no bar; nothing where the stage ends here."""
        now = self._now()
        if self._first is None:  # an earlier process may have done some
            self._first = done, now
        if self._output.aside.is_terminal or now - self._logged < LOG_EVERY_S or done >= total:
            return
        self._logged = now
        first, at = self._first
        left = ""
        if done > first:
            left = f", about {in_words((now - at) / (done - first) * (total - done))} left"
        self._output.aside.print(cell(f"{self._what}: {done:,} of {total:,}{left}"), soft_wrap=True)

    def step(self, number: int, of: int, loss: float) -> None:
        """A training step."""
        self.advance(number, of)
        if self._stage is not None:
            self._bars.update(self._stage, rate=f"loss {loss:.2f}")
