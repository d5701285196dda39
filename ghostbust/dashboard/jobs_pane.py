"""The tab with the daemon's jobs, who works in the home folder, and what happened last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from ghostbust.dashboard.pane import Pane
from ghostbust.dashboard.reading import Activity, Event, StoreSnapshot, job_state
from ghostbust.dashboard.table import StoreTable, TableRow
from ghostbust.dashboard.widgets import bare_table, cell, clipped, when

STYLES = {
    "alarm": "bold red", "round": "magenta", "promote": "green", "rollback": "yellow",
    "review": "yellow",
}  # fmt: skip
LONGEST_EVENT = 500
"""characters of an event"""


class JobsPane(Pane):
    """Jobs above, the log below."""

    def __init__(self) -> None:
        super().__init__()
        self._events: tuple[Event, ...] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="jobs-text")
        yield StoreTable("when (UTC)", "what", "log", id="log-table")

    def show(self, snapshot: StoreSnapshot) -> None:
        activity = snapshot.activity
        if activity is None:
            return
        self.query_one("#jobs-text", Static).update(jobs_text(activity))
        if activity.events != self._events:
            self._events = activity.events
            self.query_one(StoreTable).fill(log_rows(activity.events))


def jobs_text(activity: Activity) -> RenderableType:
    """Who works here, each job, and what was spent today."""
    holders = activity.holders or ("nobody works in the home folder now",)
    parts: list[RenderableType] = [cell("; ".join(holders), "bold")]
    if activity.jobs:
        table = bare_table(gap=1)
        for column in ("job", "state", "last began", "next", "came of it"):
            table.add_column(column, no_wrap=column != "came of it", overflow="fold")
        for job in activity.jobs:
            outcome = f"{job.outcome or ''} {job.reason}".strip()
            table.add_row(
                cell(job.name),
                cell(job_state(job)),
                cell(when(job.started)),
                cell(when(job.due)),
                cell(clipped(outcome, 120)),
            )
        parts.append(table)
    else:
        parts.append(Text("no daemon has scheduled a job here yet", "dim"))
    if activity.spent:
        spent = ", ".join(f"{budget} {amount:,.0f}" for budget, amount in activity.spent)
        parts.append(cell(f"spent today: {spent}"))
    return Group(*parts)


def log_rows(events: Sequence[Event]) -> list[TableRow]:
    """The rows of the log, whose keys stay the same when newer events come before them."""
    rows, often = [], Counter[Event]()
    for event in reversed(events):  # from the oldest: of equal ones the first stays number 1
        often[event] += 1
        cells = (
            cell(when(event.at)),
            cell(event.what, STYLES.get(event.what, "")),
            cell(clipped(event.text, LONGEST_EVENT)),
        )
        rows.append(TableRow((event, often[event]), cells))
    return rows[::-1]
