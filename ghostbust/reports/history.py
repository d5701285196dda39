"""Plots over time and over training, each with the table that says the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from ghostbust.adapters import Manifest
from ghostbust.evaluation.report import Estimate, Table
from ghostbust.reports.records import Chart, Line, Part, Point
from ghostbust.reports.tables import history_table, when
from ghostbust.store import RatePoint, curve_names

MOST_LINES = 8
"""so many adapters and kinds are drawn, the newest; the table has all"""
STRETCHES = 10
"""rows of the table of losses"""
TICKS = 3
"""below a plot of times; four meet on a phone"""


def history_part(points: Sequence[RatePoint], *, name: str = "history") -> Part:
    """The rate over time by adapter and kind of run, and the volume beside it."""
    known = [point for point in points if not math.isnan(point.rate)]
    charts: tuple[Chart, ...] = ()
    if known:
        charts = (
            _over_time(known, "Rate over time", "hallucination rate", _rate),
            _over_time(known, "Volume over time", "real names per answer", _volume),
        )
    text = () if points else ("No run has come to its end yet.",)
    return Part(name, "Over time", text, (history_table("finished runs", points),), charts)


def loss_part(manifest: Manifest | None, missing: str) -> Part:
    """The losses of a training, as its adapter's manifest has them; ``missing``: why there is none.

    Each is of one optimizer step, in nats per answer, weighted as the method says; so they tell
    how the training went, and don't compare between methods.
    """
    losses = _losses(manifest)
    if not losses:
        return Part("training", "Training", (missing or "Its manifest has no losses.",))
    rows = tuple(
        {"steps": f"{first + 1} to {last}", "mean loss": sum(losses[first:last]) / (last - first)}
        for first, last in _stretches(len(losses))
    )
    line = Line("loss", tuple(Point(n + 1, _bare(loss)) for n, loss in enumerate(losses)))
    chart = Chart(
        "Loss by step",
        f"The training loss over {len(losses)} steps, from {losses[0]:.3g} to {losses[-1]:.3g}.",
        "optimizer step",
        "loss",
        (line,),
        {float(n): str(round(n)) for n in _evenly(1, len(losses))},
        from_zero=False,
    )
    note = (
        "Loss of a step, in nats per answer; methods weigh it differently, so it doesn't compare."
    )
    return Part("training", "Training", (), (Table("loss", rows, (note,)),), (chart,))


def _rate(point: RatePoint) -> Estimate:
    return Estimate(point.rate, *point.ci95)


def _volume(point: RatePoint) -> Estimate:
    return _bare(point.volume)


def _bare(value: float) -> Estimate:
    return Estimate(value, math.nan, math.nan)


def _over_time(
    points: Sequence[RatePoint],
    title: str,
    y_label: str,
    value: Callable[[RatePoint], Estimate],
) -> Chart:
    lines: dict[str, list[Point]] = {}
    names = curve_names(points)
    for point in points:
        name = f"{names[point.model, point.adapter]}, {point.kind}"
        lines.setdefault(name, []).append(Point(point.finished.timestamp(), value(point)))
    newest = sorted(lines, key=lambda name: -lines[name][-1].x)[:MOST_LINES]
    kept = [name for name in lines if name in newest]
    left_out = (
        f" {len(lines) - len(kept)} older ones are left out." if len(kept) < len(lines) else ""
    )
    first, last = points[0].finished, points[-1].finished
    return Chart(
        title,
        f"The {y_label} of {len(points)} runs, from {when(first)} to {when(last)}, a line for each"
        f" adapter and kind of run.{left_out}",
        "when the run ended (UTC)",
        y_label,
        tuple(Line(name, tuple(lines[name])) for name in kept),
        _time_ticks(first, last),
    )


def _time_ticks(first: datetime, last: datetime) -> Mapping[float, str]:
    """Day, or hour where all is within two days."""
    form = "%m-%d %H:%M" if last - first < timedelta(days=2) else "%Y-%m-%d"
    ends = first.timestamp(), last.timestamp()
    return {at: datetime.fromtimestamp(at, UTC).strftime(form) for at in _evenly(*ends)}


def _evenly(first: float, last: float) -> Iterable[float]:
    if first == last:
        return [first]
    return [first + (last - first) * n / (TICKS - 1) for n in range(TICKS)]


def _losses(manifest: Manifest | None) -> list[float]:
    """What the manifest says, if it is a list of numbers: it comes from a file."""
    told = [] if manifest is None else manifest.facts.get("losses")
    if not isinstance(told, list) or not all(isinstance(loss, int | float) for loss in told):
        return []
    return [float(loss) for loss in told]


def _stretches(steps: int) -> list[tuple[int, int]]:
    """First and behind-last step of at most ``STRETCHES`` stretches that hold all steps."""
    ends = [round(steps * n / STRETCHES) for n in range(STRETCHES + 1)]
    return [(a, b) for a, b in pairwise(ends) if a < b]
