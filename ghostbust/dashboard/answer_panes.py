"""The tabs of what the model said: the ledger of invented names, stored answers, the pool."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import ClassVar, Final

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from ghostbust.dashboard import decisions
from ghostbust.dashboard.details import AnswerView, answer_text
from ghostbust.dashboard.pane import ListPane, QueryChanged
from ghostbust.dashboard.reading import NAMES, StoreSnapshot
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import cell, clipped, day, figure, visible_lines, when
from ghostbust.records import Ecosystem, Verdict
from ghostbust.store.names import Decision, KnownName
from ghostbust.store.prompts import PoolPrompt, Relative
from ghostbust.text import came_back, redact

LONGEST_TEXT: Final = 60
"""characters of a name, or of a prompt's text, in a table"""
LISTED: Final = 5
"""samples of a name that its details list"""
MOST_RELATIVES: Final = 30
"""relatives of a prompt that are listed"""
_STYLES: Final = {Verdict.ABSENT: "red", Verdict.SUSPECT: "magenta"}
_PAGES: Final = (
    Binding("n", "page(1)", "Next page", show=False),
    Binding("p", "page(-1)", "Page before", show=False),
)


def page_rows(page: int, count: int) -> str:
    """The numbers of the ``count`` rows on a page, such as ``101–105``; 0 where there are none."""
    return f"{page * NAMES + 1}–{page * NAMES + count}" if count else "0"


class NamesPane(ListPane):
    """The names by the chosen order, redacted unless revealed; below, what is known of one."""

    tab, field, in_every_snapshot = "names", "name", True
    columns = (
        "name", "in", "verdict", "reason", "seen", "prompts", "came back", "last", "claimed",
        "first", "review",
    )  # fmt: skip
    ranked = (
        "verdict", "reason", "seen", "review", "in", "prompts", "came back", "last", "claimed",
        "first",
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
        *_PAGES,
        Binding("enter", "samples", "Samples", show=False),
    ]

    def compose(self) -> ComposeResult:
        yield Static(id="names-title")
        yield Input(placeholder="search: part of a name", id="names-search", compact=True)
        yield StoreTable(*self.columns, ranked=self.ranked, id="names-table")
        with VerticalScroll(id="name-scroll", can_focus=False):
            yield Static(id="name-details")

    def title(self, snapshot: StoreSnapshot) -> Text:
        query, found = snapshot.query, snapshot.found
        rows = page_rows(query.page, len(snapshot.names))
        listed = rows if rows == "0" else f"{rows} of {found}"
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
        rows = []
        for line in snapshot.names:
            name = line.name
            cells = (
                cell(clipped(self._shown(name.name), LONGEST_TEXT)),
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
            rows.append(TableRow((name.ecosystem, name.name), cells))
        return rows

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        return snapshot.known, snapshot.nearest, snapshot.query.reveal

    def details(
        self, known: KnownName | None, nearest: tuple[str, ...], _reveal: bool
    ) -> RenderableType:
        if known is None:
            return Text("no name is chosen: ghostbust sweep finds them", "dim")
        name, lookup, alarm = known.name, known.lookup, known.alarm
        shown = clipped(self._shown(name.name), LONGEST_TEXT)
        repeats = [
            f"{one.came_back} of {one.asked_again} with {one.adapter or 'the base'}"
            for one in known.repeats
        ]
        lines = [
            Text.assemble(
                (shown, "bold"), cell(f"  {name.ecosystem}, {name.verdict}, {name.reason}")
            ),
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

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        return (snapshot.query.page + 1) * NAMES < snapshot.found

    def on_store_table_chosen(self) -> None:
        self.action_samples()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.post_message(QueryChanged(search=event.value.strip(), page=0))

    def on_input_submitted(self) -> None:
        self.screen.set_focus(self.query_one(StoreTable))

    def action_search(self) -> None:
        """Goes to the search box; at once, so that what is typed next lands in it."""
        self.screen.set_focus(self.query_one(Input))

    def action_ignored(self) -> None:
        self.post_message(QueryChanged(ignored=not self.shown_query.ignored, page=0))

    def action_decide(self, decision: str) -> None:
        chosen = self._selected()
        if chosen is None:
            self.notify("there is no name here", severity="warning")
            return
        question = f"{decision.capitalize()} {clipped(self._shown(chosen[1]), LONGEST_TEXT)}?"
        self.decide(question, partial(decisions.review, self._home, *chosen, Decision(decision)))

    def action_look_up(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            self.notify("asking the registry", timeout=2)
            self.act(partial(decisions.look_up, self._home, *chosen, config=self._config))

    def action_samples(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            self.post_message(
                QueryChanged(tab="samples", of_name=chosen, sample=None, sample_page=0)
            )

    def _selected(self) -> tuple[Ecosystem, str] | None:
        selected: tuple[Ecosystem, str] | None = self.query_one(StoreTable).selected
        return selected

    def _shown(self, name: str) -> str:
        return name if self.shown_query.reveal else redact(name)


class SamplesPane(ListPane):
    """Answers, newest first, and below the one under the cursor: refs by verdict, or its mask."""

    tab, field, page_field = "samples", "sample", "sample_page"
    columns = ("answer", "when", "by", "context", "invented", "real", "unknown", "tokens")
    ranked = ("invented", "by", "when", "real", "unknown", "context", "tokens")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "mask", "Mask"),
        Binding("f", "only_invented", "All/invented"),
        Binding("c", "clear", "Of all names", show=False),
        *_PAGES,
        Binding("j", "scroll(3)", "Down in it", show=False),
        Binding("k", "scroll(-3)", "Up in it", show=False),
    ]
    _masked = False

    def title(self, snapshot: StoreSnapshot) -> Text:
        query = snapshot.query
        which = "that invent a name" if query.only_invented else "of all kinds"
        if query.of_name is not None:
            name = query.of_name[1] if query.reveal else redact(query.of_name[1])
            which = f"that named {clipped(name, 40)} (c: all)"
        rows = page_rows(query.sample_page, len(snapshot.samples))
        return cell(f"answers {rows} {which}, newest first; only stored texts")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        query = snapshot.query
        return (query.only_invented, query.of_name, query.sample_page), snapshot.samples

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        rows = []
        for one in snapshot.samples:
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
            rows.append(TableRow(one.sample_id, cells))
        return rows

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        return snapshot.answer, self._masked

    def details(self, view: AnswerView | None, masked: bool) -> RenderableType:
        if view is None:
            return Text("no answer is kept: ghostbust sweep", "dim")
        return answer_text(view, masked=masked)

    def more_pages(self, snapshot: StoreSnapshot) -> bool:
        return len(snapshot.samples) == NAMES

    def action_mask(self) -> None:
        self._masked = not self._masked
        self.show_details()

    def action_only_invented(self) -> None:
        wanted = not self.shown_query.only_invented
        self.post_message(
            QueryChanged(only_invented=wanted, of_name=None, sample_page=0, sample=None)
        )

    def action_clear(self) -> None:
        self.post_message(QueryChanged(of_name=None, sample_page=0, sample=None))


class PromptsPane(ListPane):
    """The pool, what paid most first, and below the prompt under the cursor with its lineage."""

    tab, field = "prompts", "prompt"
    page_field, order_field = "prompt_page", "prompt_order"
    columns = ("prompt", "names", "samples", "per 100", "context", "by", "last", "text")
    ranked = ("names", "samples", "text", "per 100", "context", "by", "last")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort", "Sort"),
        Binding("n", "page(1)", "Next page"),
        Binding("p", "page(-1)", "Page before"),
        Binding("j", "scroll(3)", "Down in it", show=False),
        Binding("k", "scroll(-3)", "Up in it", show=False),
    ]

    def title(self, snapshot: StoreSnapshot) -> Text:
        query = snapshot.query
        rows = page_rows(query.prompt_page, len(snapshot.prompts))
        return cell(f"{rows} of {snapshot.pool} prompts of the pool, by {query.prompt_order}")

    def listed(self, snapshot: StoreSnapshot) -> tuple[Hashable, object]:
        query = snapshot.query
        return (query.prompt_order, query.prompt_page), snapshot.prompts

    def rows(self, snapshot: StoreSnapshot) -> list[TableRow]:
        rows = []
        for line, text in snapshot.prompts:
            per_100 = f"{100 * line.invented_names / line.samples:.0f}" if line.samples else None
            cells = (
                cell(line.prompt_id),
                figure(line.invented_names, "bold" if line.invented_names else ""),
                figure(line.samples),
                figure(per_100),
                cell(line.context),
                cell(line.operator or "seed"),
                cell(day(line.last_sampled)),
                cell(clipped(" ".join(text.split()), LONGEST_TEXT)),
            )
            rows.append(TableRow(line.prompt_id, cells))
        return rows

    def about(self, snapshot: StoreSnapshot) -> tuple[object, ...]:
        selected = self.query_one(StoreTable).selected
        shown = [(line, text) for line, text in snapshot.prompts if line.prompt_id == selected]
        return shown[0] if shown else None, snapshot.lineage

    def details(
        self, shown: tuple[PoolPrompt, str] | None, lineage: Sequence[Relative]
    ) -> RenderableType:
        if shown is None:
            return Text("no prompt in the pool: ghostbust sweep", "dim")
        return prompt_details(*shown, lineage)

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
