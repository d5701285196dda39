"""A round's figures as text and plots: losses, rates side by side, flips, the frontier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ghostbust.dashboard.plot import Mark, Plot, thinned
from ghostbust.dashboard.text import amount, cell, clipped, interval, percent
from ghostbust.records import GateResult

if TYPE_CHECKING:
    from ghostbust.dashboard.reading import RoundView
    from ghostbust.dashboard.round_figures import Flips, RoundFigures

ROWS: Final = 7
MOST_STEPS: Final = 60
"""points of a loss curve; a longer one is thinned by means"""
LISTED: Final = 6
"""prompts of each kind of flip that are listed"""


def figures_text(figures: RoundFigures | None) -> RenderableType:
    """Rates beside the base's, what flipped, the loss curve."""
    if figures is None:
        return Text("its figures are being read", "dim")
    return Group(_rates(figures), Text(), _flips(figures.flips), Text(), _losses(figures))


def frontier(rounds: Sequence[RoundView], chosen: int) -> RenderableType:
    """Drop of the rate against volume of every gated round; this one is the full point."""
    marks = []
    for view in rounds:
        results = {} if view.report is None else {r.gate: r for r in view.report.results}
        drop, ratio = _detail(results, "hallucination", "drop"), _detail(results, "volume", "ratio")
        if drop is None or ratio is None:
            continue
        here = view.round.id == chosen
        style = "bold green" if here else ""
        marks.append(Mark(ratio, drop, char="●" if here else "○", style=style))
    title = Text.assemble(
        ("frontier ", "bold"), "drop of the rate over volume as a share of the base's; ● this round"
    )
    if not marks:
        return Group(title, Text("no round has both figures yet", "dim"))
    marks.sort(key=lambda mark: mark.char == "●")
    base = Mark(1.0, 0.0, char="b", style="yellow")
    xs = [mark.x for mark in (*marks, base)]
    left, right = f"volume {min(xs):.2f}", f"{max(xs):.2f}"
    return Group(title, Plot([base, *marks], ROWS, percent, left, right))


def _detail(results: dict[str, GateResult], gate: str, key: str) -> float | None:
    """A figure of a gate's details; None where it wasn't measured."""
    value = results[gate].details.get(key) if gate in results else None
    return float(value) if isinstance(value, int | float) else None


def _rates(figures: RoundFigures) -> RenderableType:
    if not figures.rates or not figures.rates[0][1]:
        return Text("no run of it on held-out prompts is stored", "dim")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    names = [clipped("base" if name == "base" else "candidate", 20) for name, _ in figures.rates]
    table.add_column("context")
    for name in names:
        for column in (f"{name} rate", "95 %", "volume"):
            table.add_column(column, justify="right", no_wrap=True)
    for place, one in enumerate(figures.rates[0][1]):
        row = [cell(one.context)]
        for _, several in figures.rates:
            if place < len(several):
                same = several[place]
                row += [
                    cell(percent(same.rate.value), "bold"),
                    cell(interval((same.rate.low, same.rate.high))),
                    cell(f"{same.volume.value:.2f}"),
                ]
        table.add_row(*row)
    return table


def _flips(flips: Flips | None) -> RenderableType:
    if flips is None:
        return Text("flips: base and candidate weren't asked the same", "dim")
    head = Text.assemble(
        ("flips, answer by answer: ", "bold"),
        (f"{len(flips.cured)} cured", "green"), ", ",
        (f"{len(flips.broken)} broken", "red"), ", ",
        f"{flips.both} invent in both, {flips.neither} in neither",
    )  # fmt: skip
    lines = [
        cell(f"{word}: {', '.join(list(dict.fromkeys(ids))[:LISTED])}", style)
        for word, ids, style in (("broken", flips.broken, "red"), ("cured", flips.cured, "green"))
        if ids
    ]
    return Group(head, *lines)


def _losses(figures: RoundFigures) -> RenderableType:
    if not figures.losses:
        return cell(f"loss: {figures.missing}", "dim")
    shown = thinned(figures.losses, MOST_STEPS)
    marks = [Mark(n, loss, char="•") for n, loss in enumerate(shown)]
    title = Text.assemble(
        ("loss ", "bold"),
        f"of {len(figures.losses)} steps, {figures.losses[0]:.3g} to {figures.losses[-1]:.3g}"
        " nats per answer",
    )
    left, right = "step 1", f"step {len(figures.losses)}"
    return Group(title, Plot(marks, ROWS, amount, left, right, from_zero=False))
