"""The tab with the ledger of invented names, where a person says what they are."""

from __future__ import annotations

from collections.abc import Hashable
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
from ghostbust.dashboard.pane import ListPane, QueryChanged
from ghostbust.dashboard.reading import NAMES, StoreSnapshot
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import cell, clipped, day, figure, when
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.names import Decision, KnownName, NameLine
from ghostbust.text import came_back, redact

LONGEST_NAME: Final = 60
"""characters of a name in the table"""
LISTED: Final = 5
"""samples of a name that its details list"""
_STYLES: Final = {Verdict.ABSENT: "red", Verdict.SUSPECT: "magenta"}


class NamesPane(ListPane):
    """The names by the chosen order, redacted unless revealed; below, what is known of one."""

    tab, field, in_every_snapshot = "names", "name", True
    columns = (
        "name", "in", "verdict", "reason", "seen", "prompts", "came back", "last", "claimed",
        "first", "review",
    )  # fmt: skip
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

    def compose(self) -> ComposeResult:
        yield Static(id="names-title")
        yield Input(placeholder="search: part of a name", id="names-search", compact=True)
        yield StoreTable(*self.columns, id="names-table")
        with VerticalScroll(id="name-scroll", can_focus=False):
            yield Static(id="name-details")

    def title(self, snapshot: StoreSnapshot) -> Text:
        query, first = snapshot.query, snapshot.query.page * NAMES
        last = first + len(snapshot.names)
        listed = f"{first + 1}–{last} of {snapshot.found}" if last else "0"
        order = query.order.replace("_", " ")
        searched = f" with '{query.search}'" if query.search else ""
        ignored = ", ignored too" if query.ignored else ""
        hidden = "revealed" if query.reveal else "redacted, v reveals"
        return cell(f"{listed} names{searched}{ignored}, by {order}; {hidden}")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        query = snapshot.query
        place = (query.search, query.order, query.page, query.ignored)
        return place, (query.reveal, snapshot.names)

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        return [_row(line, reveal=snapshot.query.reveal) for line in snapshot.names]

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        return snapshot.known, snapshot.nearest, snapshot.query.reveal

    def details(
        self, known: KnownName | None, nearest: tuple[str, ...], reveal: bool
    ) -> RenderableType:
        if known is None:
            return Text("no name is chosen", "dim")
        return name_details(known, nearest, reveal=reveal)

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        return (snapshot.query.page + 1) * NAMES < snapshot.found

    def on_store_table_chosen(self) -> None:
        self.action_samples()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Searches while the text is typed."""
        self.post_message(QueryChanged(search=event.value.strip(), page=0))

    def on_input_submitted(self) -> None:
        self.screen.set_focus(self.query_one(StoreTable))

    def action_search(self) -> None:
        """Goes to the search box; at once, so that what is typed next lands in it."""
        self.screen.set_focus(self.query_one(Input))

    def action_ignored(self) -> None:
        """Also lists what is ignored, or leaves it out again."""
        self.post_message(QueryChanged(ignored=not self.shown_query.ignored, page=0))

    def action_decide(self, decision: str) -> None:
        """Asks why, then stores what the person decides about the name under the cursor."""
        chosen = self._selected()
        if chosen is None:
            self.notify("there is no name here", severity="warning")
            return
        name = chosen[1] if self.shown_query.reveal else redact(chosen[1])
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
            self.post_message(
                QueryChanged(tab="samples", of_name=chosen, sample=None, sample_page=0)
            )

    def _selected(self) -> tuple[Ecosystem, str] | None:
        selected: tuple[Ecosystem, str] | None = self.query_one(StoreTable).selected
        return selected


def name_details(known: KnownName, nearest: tuple[str, ...], *, reveal: bool) -> RenderableType:
    """All that is known of one name."""
    name, lookup, alarm = known.name, known.lookup, known.alarm
    shown = clipped(name.name if reveal else redact(name.name), LONGEST_NAME)
    repeats = [
        f"{one.came_back} of {one.asked_again} with {one.adapter or 'the base'}"
        for one in known.repeats
    ]
    lines = [
        Text.assemble((shown, "bold"), cell(f"  {name.ecosystem}, {name.verdict}, {name.reason}")),
        cell(
            f"contexts: {', '.join(known.contexts) or 'none'};"
            f" first seen {when(name.first_seen)}, last {when(name.last_seen)}"
        ),
        cell(f"nearest real names: {', '.join(nearest) or 'none'}"),
        cell(f"came back: {', '.join(repeats) or 'never asked again'}"),
    ]
    if lookup is not None:
        at = when(lookup.looked_up_at)
        lines.append(cell(f"looked up {at}: {lookup.verdict}, {lookup.reason}"))
    if alarm is not None:
        released, uploader = when(alarm.first_released), alarm.uploader or "not told"
        claimed = f"CLAIMED {when(alarm.at)}, first released {released}, by {uploader}"
        lines.append(cell(claimed, "bold red"))
    lines += [
        cell(f"{when(review.at)} {review.decision}: {review.reason}", "yellow")
        for review in known.reviews
    ]
    lines += [
        cell(f"sample {one.sample_id} {when(one.added)} by {one.adapter or 'the base'}", "dim")
        for one in known.samples[:LISTED]
    ]
    return Group(*lines)


def _row(line: NameLine, *, reveal: bool) -> TableRow:
    name = line.name
    cells = (
        cell(clipped(name.name if reveal else redact(name.name), LONGEST_NAME)),
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
    return TableRow((name.ecosystem, name.name), cells)
