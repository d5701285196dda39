"""Figures drawn: plain records in, SVG out. Needs matplotlib, which ghostbust doesn't bring along.

The same records give the same bytes: no date, no random ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING

from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import BINS
from ghostbust.evaluation.figures import AGAIN, Behaviour, Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")
GREY = "#8c959f"
MARKERS = "os^Dv"
"""for what comes behind the last colour, which begin anew then"""
PARTS = ("package names", "rest of those answers", "general code", "general text")
"""where the distance to the base is measured, in the order drawn"""


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One model's place between suppression and volume."""

    name: str
    """points of one name, such as several seeds of a method, look the same"""
    suppression: Estimate
    """1 - its rate / the base's"""
    volume: Estimate
    """real names per answer / the base's"""
    yardstick: bool = False
    """True for the base again, whose interval of the volume is drawn as a band"""
    likelihood: float | None = None
    """change of right solutions' log-likelihood, in percent; None where it wasn't measured"""

    @property
    def label(self) -> str:
        """What the legend says of it."""
        if self.likelihood is None:
            return self.name
        return f"{self.name}, log-likelihood {self.likelihood:+.1f} %"


@dataclass(frozen=True, slots=True)
class RoundPoint:
    """One round's model, the base being the first."""

    name: str
    rate: Estimate
    volume: Estimate
    """real names per answer: a rate is never drawn without it"""


@dataclass(frozen=True, slots=True)
class Curve:
    """One line; those of one name have one colour."""

    name: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]


def need_matplotlib() -> None:
    """Raises UsageError where matplotlib isn't there; asked before anything is sampled."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as exc:
        raise UsageError("plots need matplotlib: pip install 'ghostbust[plot]'") from exc


def frontier(points: Sequence[FrontierPoint]) -> str:
    """Suppression against volume. What pads lists lies on the right, what falls silent left."""
    figure, axes = _figure()
    for point in points:
        if point.yardstick and point.volume.low == point.volume.low:
            axes.axvspan(point.volume.low, point.volume.high, color=GREY, alpha=0.2, lw=0)
    groups: dict[str, list[FrontierPoint]] = {}
    for point in points:
        groups.setdefault(point.name, []).append(point)
    for number, group in enumerate(groups.values()):
        turn, place = divmod(number, len(COLOURS))
        xs, ys = [point.volume for point in group], [point.suppression for point in group]
        axes.errorbar(
            [x.value for x in xs], [y.value for y in ys], xerr=_arms(xs), yerr=_arms(ys),
            fmt=MARKERS[turn % len(MARKERS)], capsize=2, label=group[0].label,
            color=GREY if group[0].yardstick else COLOURS[place],
        )  # fmt: skip
    axes.axvline(1, color=GREY, lw=0.8)
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_xlabel("real names per answer, as a share of the base's")
    axes.set_ylabel("relative drop of the rate")
    return _svg(figure, axes)


def rate_by_round(lines: Mapping[str, Sequence[RoundPoint]]) -> str:
    """Rate and volume of each round's model, a line for each key such as a temperature.

    The lines' points stand a little apart, lest their intervals cover each other.
    """
    figure, (above, below) = _figures(2)
    for number, (name, points) in enumerate(lines.items()):
        colour, shift = COLOURS[number % len(COLOURS)], 0.06 * (number - (len(lines) - 1) / 2)
        places = [place + shift for place in range(len(points))]
        for axes, values in (
            (above, [point.rate for point in points]),
            (below, [point.volume for point in points]),
        ):
            axes.errorbar(
                places, [value.value for value in values], yerr=_arms(values),
                fmt="o-", color=colour, capsize=2, label=name,
            )  # fmt: skip
    longest = max(lines.values(), key=len, default=())
    below.set_xticks(range(len(longest)), [point.name for point in longest], rotation=20)
    above.set_ylabel("hallucination rate")
    below.set_ylabel("real names per answer")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
    return _svg(figure, above)


def curves(x_label: str, panels: Mapping[str, Sequence[Curve]]) -> str:
    """Lines over a common axis, a panel for each key, which labels its upright axis."""
    figure, rows = _figures(len(panels))
    for axes, (label, lines) in zip(rows, panels.items(), strict=True):
        names = list(dict.fromkeys(line.name for line in lines))
        for line in lines:
            colour = COLOURS[names.index(line.name) % len(COLOURS)]
            first = next(one for one in lines if one.name == line.name) is line
            shown = line.name if first else None
            axes.plot(list(line.xs), list(line.ys), color=colour, lw=1.2, label=shown)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    rows[-1].set_xlabel(x_label)
    return _svg(figure, rows[0])


def list_lengths(bins: Sequence[str], shares: Mapping[str, Sequence[float]]) -> str:
    """The share of answers with so many real names, a bar for each model in each bin."""
    figure, axes = _figure()
    width = 0.8 / max(len(shares), 1)
    for number, (name, values) in enumerate(shares.items()):
        places = [place + (number - (len(shares) - 1) / 2) * width for place in range(len(bins))]
        axes.bar(places, list(values), width, color=COLOURS[number % len(COLOURS)], label=name)
    axes.set_xticks(range(len(bins)), list(bins))
    axes.set_xlabel("real names in an answer")
    axes.set_ylabel("share of the answers")
    return _svg(figure, axes)


def locality(distances: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Each model's KL divergence to the base by ``PARTS``, in nats per token.

    On a log axis, unless nothing moved at all. A part that a model lacks is left out.
    """
    figure, axes = _figure()
    width = 0.8 / max(len(distances), 1)
    for number, (name, parts) in enumerate(distances.items()):
        there = [(place, parts[part]) for place, part in enumerate(PARTS) if part in parts]
        offset = (number - (len(distances) - 1) / 2) * width
        values = [value for _, value in there]
        axes.errorbar(
            [place + offset for place, _ in there], [value.value for value in values],
            yerr=_arms(values), fmt="o", color=COLOURS[number % len(COLOURS)],
            capsize=2, label=name,
        )  # fmt: skip
    if any(value.value > 0 for parts in distances.values() for value in parts.values()):
        axes.set_yscale("log")
    axes.set_xticks(range(len(PARTS)), [part.replace(" of ", "\nof ") for part in PARTS])
    axes.set_ylabel("KL to the base, nats per token")
    return _svg(figure, axes)


def _arms(values: Sequence[Estimate]) -> list[list[float]]:
    """How far the intervals reach below and above: (2, N); none where there is no interval."""
    below = [max(v.value - v.low, 0.0) if v.low == v.low else 0.0 for v in values]
    above = [max(v.high - v.value, 0.0) if v.high == v.high else 0.0 for v in values]
    return [below, above]


def _figure() -> tuple[Figure, Axes]:
    figure, (axes,) = _figures(1)
    return figure, axes


def _figures(rows: int) -> tuple[Figure, tuple[Axes, ...]]:
    """A figure without pyplot, which keeps every one of them and may open a window."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2 + 1.6 * rows), layout="constrained")
    axes = tuple(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure, labelled: Axes) -> str:
    import matplotlib as mpl

    if labelled.get_legend_handles_labels()[1]:
        labelled.legend(frameon=False, fontsize="small")
    written = StringIO()
    with mpl.rc_context({"svg.hashsalt": "ghostbust", "svg.fonttype": "none"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


# --- behaviour_plots
# The figures of behaviour, drawn: the frontier, list lengths, and rate by round.

NOTHING: Mapping[str, float] = MappingProxyType({})


def draw_behaviour(found: Behaviour, likelihood: Mapping[str, float] = NOTHING) -> dict[str, str]:
    """File names to SVG: a frontier and the list lengths at each temperature, and the rounds.

    The adapters are taken for rounds in the order given. ``likelihood``: by how many percent the
    log-likelihood of right solutions changed, of those models of which it is known.
    """
    made: dict[str, str] = {}
    rounds: dict[str, list[RoundPoint]] = {}
    for temperature in found.temperatures:
        arms = found.of(temperature)
        points = [
            FrontierPoint(
                name,
                one.change.drop,
                one.change.volume_ratio,
                name == AGAIN,
                likelihood.get(name),
            )
            for name, one in arms.items()
            if one.change is not None
        ]
        lengths = {name: one.lengths for name, one in arms.items()}
        made[f"frontier-{temperature:g}.svg"] = frontier(points)
        made[f"list-lengths-{temperature:g}.svg"] = list_lengths(list(BINS), lengths)
        rounds[f"temperature {temperature:g}"] = [
            RoundPoint(name, one.rate, one.volume) for name, one in arms.items() if name != AGAIN
        ]
    return made | {"rounds.svg": rate_by_round(rounds)}
