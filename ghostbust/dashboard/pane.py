"""What the tabs have in common: lists with details below them, and a person's decisions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ghostbust.config import Config
from ghostbust.dashboard.reading import Query, StoreSnapshot
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import cell
from ghostbust.errors import GhostbustError
from ghostbust.home import Home
from ghostbust.text import visible


class QueryChanged(Message):
    """The person asks for other rows: new values of the query's fields."""

    def __init__(self, **changes: Any) -> None:
        super().__init__()
        self.changes = changes


class Decided(Message):
    """A decision may have changed the store."""


class ReasonDialog(ModalScreen[str | None]):
    """Returns the reason given, never an empty one; None after Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "Leave it")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static(cell(self._question))
            yield Input(placeholder="the reason, for the log", max_length=200)
            yield Static("Enter goes ahead, Escape leaves it", id="dialog-keys")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        reason = event.value.strip()
        if reason:
            self.dismiss(reason)
        else:
            self.query_one("#dialog-keys", Static).update("it needs a reason; Escape leaves it")

    def action_leave(self) -> None:
        self.dismiss(None)


class Pane(Vertical):
    """What one tab holds. ``config``: the settings of decisions."""

    def __init__(self, home: Home, config: Config) -> None:
        super().__init__()
        self._home, self._config = home, config

    def show(self, snapshot: StoreSnapshot) -> None:
        """Shows what the snapshot has for the tab."""
        raise NotImplementedError

    @work
    async def decide(self, question: str, decision: Callable[[str], str]) -> None:
        """Asks for a reason, decides in a thread, and shows what ``decision`` returns."""
        reason = await self.app.push_screen_wait(ReasonDialog(question))
        if reason is not None:
            await self._run(lambda: decision(reason))

    @work
    async def act(self, action: Callable[[], str]) -> None:
        """Acts in a thread, and shows what ``action`` returns."""
        await self._run(action)

    async def _run(self, action: Callable[[], str]) -> None:
        try:
            outcome = await asyncio.to_thread(action)
        except GhostbustError as exc:
            self.notify(visible(str(exc)), severity="error", timeout=10, markup=False)
        else:
            self.notify(visible(outcome), markup=False)
        self.post_message(Decided())


class ListPane(Pane):
    """A title, a table, and below it the details of the row under the cursor.

    A snapshot comes every second. Table and details are written again only if what they are made
    of differs.
    """

    tab: ClassVar[str]
    """begins the ids of title and table"""
    columns: ClassVar[tuple[str, ...]]
    ranked: ClassVar[tuple[str, ...]]
    """the columns that a narrow screen may leave out, the most important first"""
    field: ClassVar[str]
    """the query's field for the row whose details are shown; begins the ids of the details"""
    page_field: ClassVar[str] = "page"
    order_field: ClassVar[str] = "order"
    """the query's fields for page and order"""
    in_every_snapshot: ClassVar[bool] = False
    """whether its rows are read while other tabs are in front, so that they are there at once"""

    def __init__(self, home: Home, config: Config) -> None:
        super().__init__(home, config)
        self.snapshot: StoreSnapshot | None = None
        self._listed: tuple[Hashable, object] = (None, None)
        self._about: tuple[object, ...] | None = None

    @property
    def shown_query(self) -> Query:
        """What the list shows now."""
        return Query() if self.snapshot is None else self.snapshot.query

    def compose(self) -> ComposeResult:
        yield Static(id=f"{self.tab}-title")
        yield StoreTable(*self.columns, ranked=self.ranked, id=f"{self.tab}-table")
        with VerticalScroll(id=f"{self.field}-scroll", can_focus=False):
            yield Static(id=f"{self.field}-details")

    def show(self, snapshot: StoreSnapshot) -> None:
        in_front = snapshot.query.tab == self.tab
        if not (in_front or self.in_every_snapshot):
            return
        self.snapshot = snapshot
        for title in self.query(f"#{self.tab}-title").results(Static):
            title.update(self.title(snapshot))
        place, rows_from = self.listed(snapshot)
        if (place, rows_from) != self._listed:
            keep_place, self._listed = place == self._listed[0], (place, rows_from)
            self.query_one(StoreTable).fill(self.rows(snapshot), keep_place=keep_place)
            self.moved()
        if in_front:
            self.show_details()

    def title(self, snapshot: StoreSnapshot) -> Text:
        """Says what is listed."""
        raise NotImplementedError

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        """What is searched and by which order, and what the rows are made of.

        While the first stays the same, the cursor keeps its place.
        """
        raise NotImplementedError

    def rows(self, snapshot: StoreSnapshot) -> Sequence[TableRow]:
        """The rows of the table."""
        raise NotImplementedError

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        """The arguments of `details`."""
        raise NotImplementedError

    def details(self, *about: Any) -> RenderableType:
        """What is shown below the table."""
        raise NotImplementedError

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        """Whether there is a page behind this one."""
        raise NotImplementedError

    def show_details(self) -> None:
        """Writes the details, if they changed."""
        about = None if self.snapshot is None else self.about(self.snapshot)
        if about is not None and about != self._about:
            self._about = about
            self.query_one(f"#{self.field}-details", Static).update(self.details(*about))

    def on_store_table_moved(self) -> None:
        self.moved()  # not overridden itself: Textual calls the handler of every base class

    def moved(self) -> None:
        """Has the details of the row under the cursor read."""
        self.post_message(QueryChanged(**{self.field: self.query_one(StoreTable).selected}))

    def action_scroll(self, by: int) -> None:
        """Scrolls the details, while the table keeps the keys."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        page = getattr(self.shown_query, self.page_field) + by
        more = self.snapshot is not None and self.more_pages(self.snapshot)
        if page >= 0 and (by < 0 or more):
            self.post_message(QueryChanged(**{self.page_field: page, self.field: None}))

    def action_sort(self) -> None:
        order: StrEnum = getattr(self.shown_query, self.order_field)
        orders = list(type(order))
        following = orders[(orders.index(order) + 1) % len(orders)]
        self.post_message(
            QueryChanged(**{self.order_field: following, self.page_field: 0, self.field: None})
        )
