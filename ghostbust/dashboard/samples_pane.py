"""The tab with stored answers: refs by verdict, or tokens by mask."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from ghostbust.dashboard.decisions import Asked, DetailsPane
from ghostbust.dashboard.details import answer_text
from ghostbust.dashboard.reading import NAMES, Query, Snapshot
from ghostbust.dashboard.widgets import Line, StoreTable, cell, clipped, figure, when
from ghostbust.store.answers import SampleLine
from ghostbust.text import redact


class SamplesPane(DetailsPane):
    """Answers, newest first, and below the one under the cursor."""

    field = "sample"
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
        self._query = Query()
        self._snapshot: Snapshot | None = None
        self._masked = False
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line on what is listed, the table, the answer."""
        yield Static(id="samples-title")
        yield StoreTable(
            "answer", "when", "by", "context", "invented", "real", "unknown", "tokens",
            id="samples-table",
        )  # fmt: skip
        with VerticalScroll(id="sample-scroll", can_focus=False):
            yield Static(id="sample-text")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the answers of the snapshot, where it has them."""
        if snapshot.query.tab != "samples":
            return
        self._query, old, self._snapshot = snapshot.query, self._snapshot, snapshot
        query = snapshot.query
        self.query_one("#samples-title", Static).update(_title(snapshot))
        shown = (query.only_invented, query.of_name, query.sample_page, snapshot.samples)
        if shown != self._shown:
            same_list = self._shown[:3] == shown[:3]
            self._shown = shown
            lines = [_line(one) for one in snapshot.samples]
            self.query_one(StoreTable).fill(lines, keep_place=same_list)
            self.ask_of_selected()
        if old is None or old.answer != snapshot.answer:
            self._show_answer()

    def action_mask(self) -> None:
        """Shows the token mask instead of the verdicts, or the verdicts again."""
        self._masked = not self._masked
        self._show_answer()

    def action_only_invented(self) -> None:
        """Lists all answers, or those again that invent a name."""
        wanted = not self._query.only_invented
        self.post_message(Asked(only_invented=wanted, of_name=None, sample_page=0, sample=None))

    def action_clear(self) -> None:
        """Lists the answers that name others too."""
        self.post_message(Asked(of_name=None, sample_page=0, sample=None))

    def action_page(self, by: int) -> None:
        """Goes to another page, if there is one."""
        page = self._query.sample_page + by
        full = self._snapshot is not None and len(self._snapshot.samples) == NAMES
        if page >= 0 and (by < 0 or full):
            self.post_message(Asked(sample_page=page, sample=None))

    def _show_answer(self) -> None:
        view = None if self._snapshot is None else self._snapshot.answer
        shown = Text("no answer is kept", "dim")
        text = shown if view is None else answer_text(view, masked=self._masked)
        self.query_one("#sample-text", Static).update(text)


def _title(snapshot: Snapshot) -> Text:
    query, first = snapshot.query, snapshot.query.sample_page * NAMES
    which = "that invent a name" if query.only_invented else "of all kinds"
    if query.of_name is not None:
        name = query.of_name[1] if query.reveal else redact(query.of_name[1])
        which = f"that named {clipped(name, 40)} (c: all)"
    listed = f"{first + 1}–{first + len(snapshot.samples)}" if snapshot.samples else "0"
    return cell(f"answers {listed} {which}, newest first; only stored texts")


def _line(one: SampleLine) -> Line:
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
    return Line(one.sample_id, cells)
