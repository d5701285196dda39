"""The overview as a rich renderable: the first tab, and what ``--plain`` prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ghostbust.dashboard.reading import Snapshot
from ghostbust.dashboard.text import cell, clipped, interval, percent, when
from ghostbust.store import RatePoint, Run

CHART_ROWS: Final = 4
WIDEST_BAR: Final = 6
_EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
_LONGEST_LABEL: Final = 32


def overview(snapshot: Snapshot) -> RenderableType:
    """What serves, how much there is, the rate over time, the latest rates, the last runs."""
    return Group(
        _headline(snapshot),
        Text(),
        RateChart(snapshot.rates),
        Text(),
        _rates(snapshot.latest_rates()),
        Text(),
        _runs(snapshot.runs),
    )


@dataclass(frozen=True, slots=True)
class RateChart:
    """A bar for each run, oldest left, as many of the newest as the width takes."""

    points: Sequence[RatePoint]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """A title, the bars, and under each a letter that says what it measured."""
        points = self.points[-options.max_width :]
        top = max((p.rate for p in points if not math.isnan(p.rate)), default=math.nan)
        yield Text.assemble(
            ("rate over time", "bold"),
            f"  {len(points)} runs, oldest first, up to {percent(top)}; b base, a adapter",
            overflow="ellipsis",
            no_wrap=True,
        )
        if not points:
            return
        width = max(1, min(WIDEST_BAR, options.max_width // len(points)))
        for row in reversed(range(CHART_ROWS)):
            line = Text(no_wrap=True)
            for point in points:
                line.append(_bar(point.rate / top if top else 0.0, row) * width, _style(point))
            yield line
        axis = Text(no_wrap=True)
        for point in points:
            axis.append(_letter(point).ljust(width), _style(point))
        yield axis


def _bar(share: float, row: int) -> str:
    """The character of a bar of ``share`` of the chart's height in its row, 0 the lowest."""
    if math.isnan(share):
        return " "
    eighths = math.ceil(share * CHART_ROWS * 8)
    return _EIGHTHS[min(max(eighths - 8 * row, 0), 8)]


def _letter(point: RatePoint) -> str:
    if math.isnan(point.rate):
        return "-"
    return "b" if point.adapter is None else "a"


def _style(point: RatePoint) -> str:
    return "yellow" if point.adapter is None else "green"


def _headline(snapshot: Snapshot) -> Text:
    counts = snapshot.counts
    since = f"since round {counts.last_round}" if counts.last_round else "since ever"
    return Text.assemble(
        ("deployed  ", "bold"),
        cell(snapshot.deployed or "none: the base serves"),
        "\n",
        (f"{counts.runs}", "bold"),
        " runs   ",
        (f"{counts.names}", "bold"),
        " invented names   ",
        (f"{counts.new_names}", "bold"),
        f" new {since}   ",
        (f"{counts.claimed}", "bold red" if counts.claimed else "bold"),
        " claimed",
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        right = column in ("run", "rate", "95 %", "volume", "answers")
        table.add_column(
            column,
            justify="right" if right else "left",
            # Where it gets narrow, the label goes on in the next line: no figure is cut.
            no_wrap=column != "model or adapter",
            overflow="fold",
        )
    return table


def _rates(points: Sequence[RatePoint]) -> RenderableType:
    """The latest rate of each adapter, never without its interval and volume."""
    if not points:
        return Text("no finished run has a rate yet")
    table = _table("model or adapter", "runs", "rate", "95 %", "volume", "answers", "finished")
    for point in points:
        table.add_row(
            cell(_label(point.model, point.adapter), _style(point)),
            cell(point.kind),
            cell(percent(point.rate), "bold"),
            cell(interval(point.ci95)),
            cell(f"{point.volume:.2f}"),
            cell(point.answers),
            cell(point.finished.strftime("%m-%d %H:%M")),
        )
    return table


def _runs(runs: Sequence[Run]) -> RenderableType:
    """The last runs, newest first."""
    if not runs:
        return Text("no run yet")
    table = _table("run", "kind", "model or adapter", "status", "rate", "started (UTC)")
    for run in runs:
        measured = run.measurement
        table.add_row(
            cell(run.id),
            cell(run.spec.kind),
            cell(_label(run.spec.model, run.spec.adapter)),
            cell(run.status),
            cell(None if measured is None else percent(measured.rate)),
            cell(when(run.started)),
        )
    return table


def _label(model: str, adapter: str | None) -> str:
    """The adapter's name, or which base it is."""
    return clipped(adapter or f"base {model}", _LONGEST_LABEL)
