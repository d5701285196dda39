"""The tab with the daemon's jobs, who works in the home folder, and what happened last."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import Static

from ghostbust.dashboard.decisions import Pane
from ghostbust.dashboard.reading import Activity, Event, Snapshot, job_state
from ghostbust.dashboard.widgets import Line, StoreTable, cell, clipped, when

STYLES = {
    "alarm": "bold red", "round": "magenta", "promote": "green", "rollback": "yellow",
    "review": "yellow",
}  # fmt: skip
LONGEST = 500
"""characters of an event"""


class JobsPane(Pane):
    """Jobs above, the log below."""

    def __init__(self) -> None:
        super().__init__()
        self._events: tuple[Event, ...] | None = None

    def compose(self) -> ComposeResult:
        """The jobs, and the table of events."""
        yield Static(id="jobs-text")
        yield StoreTable("when (UTC)", "what", "log", id="log-table")

    def show(self, snapshot: Snapshot) -> None:
        """Shows jobs and log of the snapshot."""
        if snapshot.activity is None:
            return
        self.query_one("#jobs-text", Static).update(jobs_text(snapshot.activity))
        if snapshot.activity.events != self._events:
            self._events = snapshot.activity.events
            self.query_one(StoreTable).fill(
                [_line(number, event) for number, event in _numbered(self._events)]
            )


def jobs_text(activity: Activity) -> RenderableType:
    """Who works here, each job, and what was spent today."""
    holders = activity.holders or ("nobody works in the home folder now",)
    parts: list[RenderableType] = [cell("; ".join(holders), "bold")]
    if activity.jobs:
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
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


def _numbered(events: Sequence[Event]) -> list[tuple[str, Event]]:
    """Each event with a key that stays when newer ones come before it."""
    seen: dict[str, int] = {}
    numbered = []
    for event in reversed(events):
        key = f"{event.at.isoformat()} {event.what} {event.text}"
        seen[key] = seen.get(key, 0) + 1
        numbered.append((f"{key} {seen[key]}", event))
    return numbered[::-1]


def _line(key: str, event: Event) -> Line:
    style = STYLES.get(event.what, "")
    cells = (cell(when(event.at)), cell(event.what, style), cell(clipped(event.text, LONGEST)))
    return Line(key, cells)
