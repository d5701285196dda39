"""The figures of behaviour, drawn: the frontier, list lengths, and rate by round."""

from __future__ import annotations

from ghostbust.evaluation.counting import BINS
from ghostbust.evaluation.figures import AGAIN, Behaviour
from ghostbust.evaluation.plots import (
    FrontierPoint,
    RoundPoint,
    frontier,
    list_lengths,
    rate_by_round,
)


def draw_behaviour(found: Behaviour) -> dict[str, str]:
    """File names to SVG: a frontier and the list lengths at each temperature, and the rounds.

    The adapters are taken for rounds in the order given.
    """
    made: dict[str, str] = {}
    rounds: dict[str, list[RoundPoint]] = {}
    for temperature in found.temperatures:
        arms = found.of(temperature)
        points = [
            FrontierPoint(name, one.change.drop, one.change.volume_ratio, name == AGAIN)
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
