"""The tab with the ledger of invented names, where a person says what they are."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from ghostbust.config import Config
from ghostbust.dashboard import decisions
from ghostbust.dashboard.decisions import Asked, DecidingPane
from ghostbust.dashboard.reading import NAMES, Query, Snapshot
from ghostbust.dashboard.widgets import Line, StoreTable, cell, clipped, day, figure, when
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.names import Decision, KnownName, NameLine, NameOrder
from ghostbust.text import came_back, redact

LONGEST_NAME: Final = 60
"""characters of a name in the table"""
LISTED: Final = 5
"""samples of a name that its details list"""
_STYLES: Final = {Verdict.ABSENT: "red", Verdict.SUSPECT: "magenta"}


class NamesPane(DecidingPane):
    """The names by the chosen order, redacted unless revealed; below, what is known of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("/", "search", "Search"),
        Binding("s", "sort", "Sort"),
        Binding("a", "decide('accept')", "Accept"),
        Binding("i", "decide('ignore')", "Ignore"),
        Binding("l", "decide('allow')", "Allow"),
        Binding("o", "decide('reopen')", "Reopen", show=False),
        Binding("u", "look_up", "Look up"),
        Binding("h", "ignored", "Ignored too", show=False),
        Binding("n", "page(1)", "Next page", show=False),
        Binding("p", "page(-1)", "Page before", show=False),
        Binding("enter", "samples", "Samples", show=False),
    ]

    def __init__(self, home: Home, config: Config) -> None:
        super().__init__()
        self._home, self._config = home, config
        self._query = Query()
        self._snapshot: Snapshot | None = None
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """A line on what is listed, the search box, the table, the details."""
        yield Static(id="names-title")
        yield Input(placeholder="search: part of a name", id="names-search", compact=True)
        yield StoreTable(
            "name", "in", "verdict", "reason", "seen", "prompts", "came back", "last", "claimed",
            "first", "review",
            id="names-table",
        )  # fmt: skip
        with VerticalScroll(id="name-scroll", can_focus=False):
            yield Static(id="name-details")

    def show(self, snapshot: Snapshot) -> None:
        """Shows the names of the snapshot."""
        self._query = snapshot.query
        old, self._snapshot = self._snapshot, snapshot
        self.query_one("#names-title", Static).update(self._title(snapshot))
        query = snapshot.query
        listed = (query.search, query.order, query.page, query.ignored)
        shown = (listed, query.reveal, snapshot.names)
        if shown != self._shown:
            same_list = self._shown[:1] == shown[:1]
            self._shown = shown
            lines = [_line(line, reveal=query.reveal) for line in snapshot.names]
            self.query_one(StoreTable).fill(lines, keep_place=same_list)
            self._ask_of_selected()
        if old is None or (old.known, old.nearest, old.query.reveal) != (
            snapshot.known, snapshot.nearest, query.reveal,
        ):  # fmt: skip
            self.query_one("#name-details", Static).update(
                details(snapshot.known, snapshot.nearest, reveal=query.reveal)
            )

    def on_store_table_moved(self) -> None:
        """The cursor moved: its name's details are wanted."""
        self._ask_of_selected()

    def on_store_table_chosen(self) -> None:
        """Enter: to the answers that named it."""
        self.action_samples()

    def action_search(self) -> None:
        """Goes to the search box; at once, so that what is typed next lands in it."""
        self.screen.set_focus(self.query_one(Input))

    def action_sort(self) -> None:
        """Lists by the next order."""
        orders = list(NameOrder)
        following = orders[(orders.index(self._query.order) + 1) % len(orders)]
        self.post_message(Asked(order=following, page=0))

    def action_ignored(self) -> None:
        """Lists also what is ignored, or leaves it out again."""
        self.post_message(Asked(ignored=not self._query.ignored, page=0))

    def action_page(self, by: int) -> None:
        """Goes to another page, if there is one."""
        found = self._snapshot.found if self._snapshot else 0
        page = self._query.page + by
        if 0 <= page <= max(0, found - 1) // NAMES:
            self.post_message(Asked(page=page))

    def action_decide(self, decision: str) -> None:
        """Asks why, then notes what the person says of the name under the cursor."""
        chosen = self._selected()
        if chosen is None:
            self.notify("there is no name here", severity="warning")
            return
        name = chosen[1] if self._query.reveal else redact(chosen[1])
        question = f"{decision.capitalize()} {clipped(name, LONGEST_NAME)}?"
        self.decide(question, partial(decisions.review, self._home, *chosen, Decision(decision)))

    def action_look_up(self) -> None:
        """Asks the registry for the name under the cursor, now."""
        chosen = self._selected()
        if chosen is not None:
            self.notify("asking the registry", timeout=2)
            self.act(partial(decisions.look_up, self._home, *chosen, config=self._config))

    def action_samples(self) -> None:
        """Goes to the answers that named the name under the cursor."""
        chosen = self._selected()
        if chosen is not None:
            self.post_message(Asked(tab="samples", of_name=chosen, sample=None, sample_page=0))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Lists what contains the text, while it is typed."""
        self.post_message(Asked(search=event.value.strip(), page=0))

    def on_input_submitted(self) -> None:
        """Enter goes on to the table."""
        self.screen.set_focus(self.query_one(StoreTable))

    def _selected(self) -> tuple[Ecosystem, str] | None:
        key = self.query_one(StoreTable).selected
        if key is None:
            return None
        ecosystem, _, name = key.partition(":")
        return Ecosystem(ecosystem), name

    def _ask_of_selected(self) -> None:
        self.post_message(Asked(name=self._selected()))

    def _title(self, snapshot: Snapshot) -> Text:
        query, first = snapshot.query, snapshot.query.page * NAMES
        last = first + len(snapshot.names)
        listed = f"{first + 1}–{last} of {snapshot.found}" if last else "0"
        order = query.order.replace("_", " ")
        searched = f" with '{query.search}'" if query.search else ""
        ignored = ", ignored too" if query.ignored else ""
        hidden = "revealed" if query.reveal else "redacted, v reveals"
        return cell(f"{listed} names{searched}{ignored}, by {order}; {hidden}")


def details(known: KnownName | None, nearest: tuple[str, ...], *, reveal: bool) -> RenderableType:
    """All that is known of one name."""
    if known is None:
        return Text("no name is chosen", "dim")
    name = known.name
    lines = [
        Text.assemble(
            (clipped(_shown(name.name, reveal=reveal), LONGEST_NAME), "bold"),
            cell(f"  {name.ecosystem}, {name.verdict}, {name.reason}"),
        ),
        cell(f"contexts: {', '.join(known.contexts) or 'none'};"
             f" first seen {when(name.first_seen)}, last {when(name.last_seen)}"),
        cell(f"nearest real names: {', '.join(nearest) or 'none'}"),
        cell("came back: " + (", ".join(
            f"{one.came_back} of {one.asked_again} with {one.adapter or 'the base'}"
            for one in known.repeats) or "never asked again")),
    ]  # fmt: skip
    if known.lookup is not None:
        lookup = known.lookup
        lines.append(cell(f"looked up {when(lookup.looked_up_at)}: {lookup.verdict}"
                          f", {lookup.reason}"))  # fmt: skip
    if known.alarm is not None:
        alarm = known.alarm
        lines.append(cell(f"CLAIMED {when(alarm.at)}, first released"
                          f" {when(alarm.first_released)}, by {alarm.uploader or 'not told'}",
                          "bold red"))  # fmt: skip
    lines += [
        cell(f"{when(review.at)} {review.decision}: {review.reason}", "yellow")
        for review in known.reviews
    ]
    lines += [
        cell(f"sample {one.sample_id} {when(one.added)} by {one.adapter or 'the base'}", "dim")
        for one in known.samples[:LISTED]
    ]
    return Group(*lines)


def _line(line: NameLine, *, reveal: bool) -> Line:
    name = line.name
    cells = (
        cell(clipped(_shown(name.name, reveal=reveal), LONGEST_NAME)),
        cell(name.ecosystem),
        cell(name.verdict, _STYLES.get(name.verdict, "")),
        cell(name.reason, "bold red" if name.claimed_at else ""),
        figure(name.times_seen),
        figure(name.prompts),
        cell(came_back(name)),
        cell(day(name.last_seen)),
        cell(day(name.claimed_at), "bold red"),
        cell(day(name.first_seen)),
        cell(line.review or "", "yellow"),
    )
    return Line(f"{name.ecosystem}:{name.name}", cells)


def _shown(name: str, *, reveal: bool) -> str:
    return name if reveal else redact(name)
