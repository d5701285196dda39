"""What commands print: tables and lines for people, or one JSON document for programs.

Results go to standard output; progress and notes go to standard error. Names and texts that
come from models, files or registries pass through `visible` or `cell` on their way to the
terminal: an escape code in them is shown, never obeyed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ghostbust.documents import json_text
from ghostbust.shown import visible

PIPED_WIDTH = 160
"""columns of a table whose reader is no terminal and says nothing of its width"""


def cell(text: object, style: str = "") -> Text:
    """Any text, for a table or a line: made `visible`, brackets in it are no markup."""
    return Text(visible(str(text)), style)


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table; long cells go on in the next line, so that no name is cut."""
    made = Table(box=SIMPLE, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


class Output:
    """Where one run of a command prints. Colours follow the terminal and NO_COLOR."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.result = _console(stderr=False, quiet=as_json)
        """standard output, for people: swallows everything where the result is JSON. Strings
        are printed as they are, without markup"""
        self.aside = _console(stderr=True, quiet=quiet)
        """standard error, for progress and notes: swallows everything under ``--quiet``"""

    def note(self, text: str) -> None:
        """One line on standard error, not under ``--quiet``."""
        self.aside.print(cell(text), soft_wrap=True)

    def line(self, text: str, style: str = "") -> None:
        """One line of the result, for people."""
        self.result.print(cell(text, style), soft_wrap=True)

    def document(self, document: Mapping[str, object]) -> None:
        """The result as one JSON document; prints nothing where JSON wasn't asked for."""
        if self.as_json:
            print_json(document, indent=2)


def print_json(document: Mapping[str, object], *, indent: int | None = None) -> None:
    """Prints a JSON object in plain ASCII, so that no character of it moves a terminal."""
    sys.stdout.write(json_text(document, indent=indent) + "\n")


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves the error to the edge; rich would exit with 1, which means findings here."""
        raise


def _console(*, stderr: bool, quiet: bool) -> Console:
    console = _Console(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_WIDTH
    return console
