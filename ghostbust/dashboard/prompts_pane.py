"""The tab with the pool of prompts: what pays, and where each comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.dashboard.decisions import Asked, DetailsPane
from ghostbust.dashboard.reading import NAMES, Query, Snapshot
from ghostbust.dashboard.widgets import Line, StoreTable, cell, clipped, day, figure, visible_lines
from ghostbust.store.prompts import PoolPrompt, PromptOrder, Relative

LONGEST_TEXT = 60
"""characters of a prompt's text in the table"""
SHOWN = 30
"""relatives of a prompt that are listed"""


class PromptsPane(DetailsPane):
    """The pool, what paid most first, and below the prompt under the cursor with its lineage."""

    field = "prompt"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("n", "page(1)", "Next page"),
        Binding("p", "page(-1)", "Page before"),
        Binding("j", "scroll(3)", "Down in it", show=False),
        Binding("k", "scroll(-3)", "Up in it", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._query = Query()
        self._snapshot: Snapshot | None = None
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line on what is listed, the table, the lineage."""
        yield Static(id="prompts-title")
        yield StoreTable(
            "prompt", "names", "samples", "per 100", "context", "by", "last", "text",
            id="prompts-table",
        )  # fmt: skip
        with VerticalScroll(id="prompt-scroll", can_focus=False):
            yield Static(id="prompt-details")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the prompts of the snapshot, where it has them."""
        if snapshot.query.tab != "prompts":
            return
        self._query, self._snapshot = snapshot.query, snapshot
        query = snapshot.query
        shown = (query.prompt_order, query.prompt_page, snapshot.prompts)
        first = query.prompt_page * NAMES
        listed = f"{first + 1}–{first + len(snapshot.prompts)}" if snapshot.prompts else "0"
        self.query_one("#prompts-title", Static).update(
            cell(f"{listed} of {snapshot.pool} prompts of the pool, by {query.prompt_order}")
        )
        if shown != self._shown:
            same_list = self._shown[:2] == shown[:2]
            self._shown = shown
            lines = [_line(line, text) for line, text in snapshot.prompts]
            self.query_one(StoreTable).fill(lines, keep_place=same_list)
            self.ask_of_selected()
        self._show_details()

    def action_sort(self) -> None:
        """Lists by the next order."""
        orders = list(PromptOrder)
        following = orders[(orders.index(self._query.prompt_order) + 1) % len(orders)]
        self.post_message(Asked(prompt_order=following, prompt_page=0, prompt=None))

    def action_page(self, by: int) -> None:
        """Goes to another page, if there is one."""
        pool = self._snapshot.pool if self._snapshot else 0
        page = self._query.prompt_page + by
        if 0 <= page <= max(0, pool - 1) // NAMES:
            self.post_message(Asked(prompt_page=page, prompt=None))

    def _show_details(self) -> None:
        selected = self.query_one(StoreTable).selected
        for line, text in self._snapshot.prompts if self._snapshot else ():
            if line.prompt_id == selected and self._snapshot:
                self.query_one("#prompt-details", Static).update(
                    details(line, text, self._snapshot.lineage)
                )


def details(line: PoolPrompt, text: str, lineage: Sequence[Relative]) -> RenderableType:
    """The prompt's text, what it was made from, and what was made from it."""
    added = day(line.added)
    head = cell(f"{line.prompt_id}  family {line.family}, {line.ecosystem}, added {added}")
    tree = [*(one for one in lineage if one.depth < 0), Relative(0, line)]
    tree += [one for one in lineage if one.depth > 0]
    top = min((one.depth for one in tree), default=0)
    rows = [
        cell(
            f"{'*' if one.depth == 0 else ' '} {'  ' * (one.depth - top)}{one.line.prompt_id}"
            f" {one.line.operator or 'seed'}: {one.line.invented_names} names in"
            f" {one.line.samples} samples",
            "bold" if one.depth == 0 else "",
        )
        for one in tree[:SHOWN]
    ]
    left_out = [cell(f"and {len(tree) - SHOWN} more", "dim")] if len(tree) > SHOWN else []
    return Group(head, Text(visible_lines(text)), Text("lineage", "bold"), *rows, *left_out)


def _line(line: PoolPrompt, text: str) -> Line:
    rate = f"{100 * line.invented_names / line.samples:.0f}" if line.samples else None
    cells = (
        cell(line.prompt_id),
        figure(line.invented_names, "bold" if line.invented_names else ""),
        figure(line.samples),
        figure(rate),
        cell(line.context),
        cell(line.operator or "seed"),
        cell(day(line.last_sampled)),
        cell(clipped(" ".join(text.split()), LONGEST_TEXT)),
    )
    return Line(line.prompt_id, cells)
