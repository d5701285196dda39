"""The figures of behaviour, drawn: the frontier, list lengths, and rate by round."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ghostbust.evaluation.counting import BINS
from ghostbust.evaluation.figures import AGAIN, Behaviour
from ghostbust.evaluation.plots import (
    FrontierPoint,
    RoundPoint,
    frontier,
    list_lengths,
    rate_by_round,
)

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
