"""Figures drawn as SVG. Needs matplotlib, which ghostbust doesn't bring along.

Each plot says what stands in its panels; `draw` draws any of them. The same records give the same
bytes: no date, no random ids.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import AGAIN, Behaviour, Estimate, Figures, Group

if TYPE_CHECKING:
    from ghostbust.evaluation.locality import Shift

COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
GREY = "#8c959f"
MARKERS = "os^Dv"
"""of the first six names, the next six, and so on: colours repeat then"""
NO_CHANGES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name. Series of one name have one colour, and one entry in the legend."""

    name: str
    xs: Sequence[float | Estimate]
    ys: Sequence[float | Estimate]
    """intervals of estimates are drawn, where there are any"""
    grey: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes."""

    y_label: str
    series: Sequence[Series]
    form: Literal["points", "points on a line", "line"] = "points"
    log: bool = False
    """the upright axis; else it begins at 0, but for points alone"""
    band: tuple[float, float] | None = None
    """values of x between which the ground is grey"""
    cross: tuple[float, float] | None = None
    """x and y of two thin lines: where nothing changed"""


def need_matplotlib() -> None:
    """Raises UsageError where matplotlib isn't there; called before anything is sampled."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as exc:
        raise UsageError("plots need matplotlib: pip install 'ghostbust[plot]'") from exc


def draw(
    panels: Sequence[Panel], x_label: str = "", ticks: Sequence[str] = (), *, slanted: bool = False
) -> str:
    """The panels below each other, over one axis; with ``ticks``, these stand at 0, 1, 2 …"""
    import matplotlib as mpl
    from matplotlib.figure import Figure  # not pyplot, which keeps every one and may open a window

    figure = Figure(figsize=(7, 3.2 + 1.6 * len(panels)), layout="constrained")
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(rows, panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        if panel.band:
            axes.axvspan(*panel.band, color=GREY, alpha=0.2, lw=0)
        names: dict[str, int] = {}
        for one in panel.series:
            label = None if one.name in names else one.name
            repeat, place = divmod(names.setdefault(one.name, len(names)), len(COLOURS))
            colour = GREY if one.grey else COLOURS[place]
            xs, ys = _values(one.xs), _values(one.ys)
            marker = "" if panel.form == "line" else MARKERS[repeat % len(MARKERS)]
            axes.errorbar(
                xs, ys, xerr=_errors(one.xs), yerr=_errors(one.ys), color=colour, label=label,
                fmt=marker + ("" if panel.form == "points" else "-"), capsize=2,
                lw=1.2 if panel.form == "line" else None,
            )  # fmt: skip
        if panel.cross:
            axes.axvline(panel.cross[0], color=GREY, lw=0.8)
            axes.axhline(panel.cross[1], color=GREY, lw=0.8)
        axes.set_ylabel(panel.y_label)
        if panel.log:
            axes.set_yscale("log")
        elif panel.form != "points":
            axes.set_ylim(bottom=0)
    if ticks:
        rows[-1].set_xticks(range(len(ticks)), ticks, rotation=20 if slanted else 0)
    rows[-1].set_xlabel(x_label)
    if rows[0].get_legend_handles_labels()[1]:
        rows[0].legend(frameon=False, fontsize="small")
    written = StringIO()
    with mpl.rc_context({"svg.hashsalt": "ghostbust", "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def _values(numbers: Sequence[float | Estimate]) -> list[float]:
    return [one.value if isinstance(one, Estimate) else one for one in numbers]


def _errors(numbers: Sequence[float | Estimate]) -> list[list[float]] | None:
    """How far the intervals reach below and above: (2, N); None for bare numbers."""
    known = [one for one in numbers if isinstance(one, Estimate)]
    if not known:
        return None
    below = [0.0 if math.isnan(one.low) else max(one.value - one.low, 0.0) for one in known]
    above = [0.0 if math.isnan(one.high) else max(one.high - one.value, 0.0) for one in known]
    return [below, above]


def _width(series: Sized) -> float:
    """Of a bar, where each of the series has one at a tick."""
    return 0.8 / max(len(series), 1)


def _beside(number: int, count: int, step: float) -> float:
    """How far right of its tick one of ``count`` series stands, lest they cover each other."""
    return (number - (count - 1) / 2) * step


def frontier(models: Iterable[tuple[str, Figures]]) -> str:
    """Suppression against supported names: what falls silent or names others lies left.

    Each model comes with what the legend calls it: several seeds of a method have one name. Those
    without a change, such as the base, are left out.
    """
    series: list[Series] = []
    band = None
    for name, one in models:
        if one.change is None:
            continue
        again, kept = one.model == AGAIN, one.change.supported
        series.append(Series(name, [kept], [one.change.drop], grey=again))
        if again and not math.isnan(kept.low):
            band = kept.low, kept.high
    panel = Panel("relative drop of the rate", series, band=band, cross=(1, 0))
    return draw([panel], "supported names per answer, as a share of the base's")


def rate_by_round(lines: Mapping[str, Sequence[tuple[str, Figures]]]) -> str:
    """Rate and supported names of each round's model, a line for each key, such as a temperature.

    Each model comes with its name on the axis; the first is the base.
    """
    rates, kept = list[Series](), list[Series]()
    for number, (name, models) in enumerate(lines.items()):
        xs = [place + _beside(number, len(lines), 0.06) for place in range(len(models))]
        rates.append(Series(name, xs, [one.rate for _, one in models]))
        kept.append(Series(name, xs, [one.supported for _, one in models]))
    longest = max(lines.values(), key=len, default=())
    panels = [
        Panel("hallucination rate", rates, "points on a line"),
        Panel("supported names per answer", kept, "points on a line"),
    ]
    return draw(panels, ticks=[name for name, _ in longest], slanted=True)


def locality(distances: Mapping[str, Sequence[Shift]]) -> str:
    """Each model's KL divergence to the base in each group of tokens, in nats per token.

    On a log axis, unless nothing moved at all. A group that a model lacks is left out.
    """
    groups = list(Group)
    series = []
    for number, (name, shifts) in enumerate(distances.items()):
        beside = _beside(number, len(distances), _width(distances))
        xs = [groups.index(shift.group) + beside for shift in shifts]
        series.append(Series(name, xs, [Estimate(shift.kl, *shift.ci95) for shift in shifts]))
    moved = any(shift.kl > 0 for shifts in distances.values() for shift in shifts)
    panel = Panel("KL to the base, nats per token", series, log=moved)
    return draw([panel], ticks=[group.replace(" of ", "\nof ") for group in groups])


def draw_behaviour(
    found: Behaviour, likelihood: Mapping[str, float] = NO_CHANGES
) -> dict[str, str]:
    """File names to SVG: a frontier at each temperature, and the rounds.

    The adapters are taken for rounds in the order given. ``likelihood``: by how many percent the
    log-likelihood of right solutions changed, of those models of which it is known.
    """
    drawn: dict[str, str] = {}
    rounds: dict[str, list[tuple[str, Figures]]] = {}
    for temperature in found.temperatures:
        models = found.of(temperature)
        labels = {name: name for name in models} | {
            name: f"{name}, log-likelihood {percent:+.1f} %" for name, percent in likelihood.items()
        }
        drawn[f"frontier-{temperature:g}.svg"] = frontier(
            (labels[name], one) for name, one in models.items()
        )
        rounds[f"temperature {temperature:g}"] = [
            (name, one) for name, one in models.items() if name != AGAIN
        ]
    return drawn | {"rounds.svg": rate_by_round(rounds)}
