"""The tab with the pool of prompts: how many invented names each elicited, and its lineage."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType

from ghostbust.dashboard.pane import ListPane
from ghostbust.dashboard.reading import NAMES, StoreSnapshot
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import cell, clipped, day, figure, visible_lines
from ghostbust.store.prompts import PoolPrompt, Relative

LONGEST_TEXT = 60
"""characters of a prompt's text in the table"""
MOST_RELATIVES = 30
"""relatives of a prompt that are listed"""


class PromptsPane(ListPane):
    """The pool, what paid most first, and below the prompt under the cursor with its lineage."""

    tab, field = "prompts", "prompt"
    page_field, order_field = "prompt_page", "prompt_order"
    columns = ("prompt", "names", "samples", "per 100", "context", "by", "last", "text")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("n", "page(1)", "Next page"),
        Binding("p", "page(-1)", "Page before"),
        Binding("j", "scroll(3)", "Down in it", show=False),
        Binding("k", "scroll(-3)", "Up in it", show=False),
    ]

    def title(self, snapshot: StoreSnapshot) -> Text:
        query, first = snapshot.query, snapshot.query.prompt_page * NAMES
        listed = f"{first + 1}–{first + len(snapshot.prompts)}" if snapshot.prompts else "0"
        return cell(f"{listed} of {snapshot.pool} prompts of the pool, by {query.prompt_order}")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        query = snapshot.query
        return (query.prompt_order, query.prompt_page), snapshot.prompts

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        return [_row(line, text) for line, text in snapshot.prompts]

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        selected = self.query_one(StoreTable).selected
        shown = [(line, text) for line, text in snapshot.prompts if line.prompt_id == selected]
        return shown[0] if shown else None, snapshot.lineage

    def details(
        self, shown: tuple[PoolPrompt, str] | None, lineage: Sequence[Relative]
    ) -> RenderableType:
        return "" if shown is None else prompt_details(*shown, lineage)

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        return (snapshot.query.prompt_page + 1) * NAMES < snapshot.pool


def prompt_details(line: PoolPrompt, text: str, lineage: Sequence[Relative]) -> RenderableType:
    """The prompt's text, what it was made from, and what was made from it."""
    added = day(line.added)
    head = cell(f"{line.prompt_id}  family {line.family}, {line.ecosystem}, added {added}")
    tree = [*(one for one in lineage if one.depth < 0), Relative(0, line)]
    tree += [one for one in lineage if one.depth > 0]
    top = min(one.depth for one in tree)
    rows = [
        cell(
            f"{'*' if one.depth == 0 else ' '} {'  ' * (one.depth - top)}{one.line.prompt_id}"
            f" {one.line.operator or 'seed'}: {one.line.invented_names} names in"
            f" {one.line.samples} samples",
            "bold" if one.depth == 0 else "",
        )
        for one in tree[:MOST_RELATIVES]
    ]
    if len(tree) > MOST_RELATIVES:
        rows.append(cell(f"and {len(tree) - MOST_RELATIVES} more", "dim"))
    return Group(head, Text(visible_lines(text)), Text("lineage", "bold"), *rows)


def _row(line: PoolPrompt, text: str) -> TableRow:
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
    return TableRow(line.prompt_id, cells)
