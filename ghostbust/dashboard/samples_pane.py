"""The tab with stored answers: refs by verdict, or tokens by mask."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.binding import Binding, BindingType

from ghostbust.dashboard.details import AnswerView, answer_text
from ghostbust.dashboard.pane import ListPane, QueryChanged
from ghostbust.dashboard.reading import NAMES, StoreSnapshot
from ghostbust.dashboard.table import TableRow
from ghostbust.dashboard.widgets import cell, clipped, figure, when
from ghostbust.store.answers import SampleLine
from ghostbust.text import redact


class SamplesPane(ListPane):
    """Answers, newest first, and below the one under the cursor."""

    tab, field, page_field = "samples", "sample", "sample_page"
    columns = ("answer", "when", "by", "context", "invented", "real", "unknown", "tokens")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mask", "Mask"),
        Binding("f", "only_invented", "All/invented"),
        Binding("c", "clear", "Of all names", show=False),
        Binding("n", "page(1)", "Next page", show=False),
        Binding("p", "page(-1)", "Page before", show=False),
        Binding("j", "scroll(3)", "Down in it", show=False),
        Binding("k", "scroll(-3)", "Up in it", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._masked = False

    def title(self, snapshot: StoreSnapshot) -> Text:
        query, first = snapshot.query, snapshot.query.sample_page * NAMES
        which = "that invent a name" if query.only_invented else "of all kinds"
        if query.of_name is not None:
            name = query.of_name[1] if query.reveal else redact(query.of_name[1])
            which = f"that named {clipped(name, 40)} (c: all)"
        listed = f"{first + 1}–{first + len(snapshot.samples)}" if snapshot.samples else "0"
        return cell(f"answers {listed} {which}, newest first; only stored texts")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        query = snapshot.query
        return (query.only_invented, query.of_name, query.sample_page), snapshot.samples

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        return [_row(one) for one in snapshot.samples]

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        return snapshot.answer, self._masked

    def details(self, view: AnswerView | None, masked: bool) -> RenderableType:
        if view is None:
            return Text("no answer is kept", "dim")
        return answer_text(view, masked=masked)

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        return len(snapshot.samples) == NAMES

    def action_mask(self) -> None:
        """Shows the token mask instead of the verdicts, or the verdicts again."""
        self._masked = not self._masked
        self.show_details()

    def action_only_invented(self) -> None:
        """Lists all answers, or again only those that invent a name."""
        wanted = not self.shown_query.only_invented
        self.post_message(
            QueryChanged(only_invented=wanted, of_name=None, sample_page=0, sample=None)
        )

    def action_clear(self) -> None:
        """Lists the answers that named other names too."""
        self.post_message(QueryChanged(of_name=None, sample_page=0, sample=None))


def _row(one: SampleLine) -> TableRow:
    cells = (
        cell(one.sample_id),
        cell(when(one.added)),
        cell(clipped(one.adapter or "base", 24)),
        cell(one.context),
        figure(one.invented, "red" if one.invented else ""),
        figure(one.real),
        figure(one.unknown),
        figure(one.tokens),
    )
    return TableRow(one.sample_id, cells)
