"""Whether the estimates of `ghostbust.unseen` hold, on simulated samples whose truth is known.

A population is names with probabilities. A prompt family draws a few of them for itself, by those
probabilities, and its answers name these again and again, the first ones most: so inventions of one
family depend on each other, as a model's do. Some families invent nothing. What a further family
would bring is measured on thousands of further ones.

    python -m tests.lab.unseen --families 100 --answers 4
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ghostbust.unseen import PER_ANSWERS, Incidence, Interval, Unseen, unseen

WANTED: Final = 0.85
"""share of the runs whose interval holds the true chance, at least"""
FURTHER: Final = 3000
"""families that tell the truth of a run"""
_STEADINESS: Final = 0.6
"""weight of a family's next name as a share of the one before"""
_INVENTIONS: Final = 1.5
"""inventions of an answer, on average over the families that invent"""
_FIELDS: Final = 20
"""subject areas, where a population has such"""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Population:
    """Names, and how families take theirs from them."""

    title: str
    weights: Floats
    """probability of each name, up to a factor"""
    own: int = 6
    """names that a family draws for itself, with replacement"""
    silent: float = 0.4
    """share of the families that invent nothing"""
    fields: int = 1
    """subject areas; each has the names in an order of its own"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One simulated sample, and the truth that belongs to it."""

    estimate: Unseen
    by_answers: Unseen
    """the same with every answer as a family of its own: what clusters do if they aren't heeded"""
    chance: float
    """share of the further families' inventions whose names the sample doesn't have"""
    left: int
    """names of the population that it doesn't have"""
    gain: float
    """new names per 1,000 answers of one further family, on average"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the estimates of many samples of one population did. Shares are of the samples."""

    population: str
    runs: int
    chance_covered: float
    """its interval holds the truth"""
    chance_width: float
    """mean width of that interval"""
    chance_true: float
    """mean of the true chances, as the next of the estimates"""
    chance_estimated: float
    by_answers_covered: float
    """as ``chance_covered``, for answers taken as independent"""
    gain_covered: float
    gain_true: float
    gain_estimated: float
    left_held: float
    """the interval's lower end is at most the true number: what a lower bound promises"""
    left_true: float
    left_estimated: float


def populations(seed: int = 0) -> tuple[Population, ...]:
    """The scenarios: two laws of popularity, one-off names, fields, steady repetition."""
    rng = np.random.default_rng(seed)
    ranks = np.arange(1, 5001, dtype=np.float64)
    many = np.concatenate([np.full(200, 0.6 / 200), np.full(20_000, 0.4 / 20_000)])
    log_normal = rng.lognormal(0, 2, 3000)
    return (
        Population("Zipf, exponent 1, 5,000 names", 1 / ranks),
        Population("Zipf, exponent 1.5, 5,000 names", ranks**-1.5),
        Population("log-normal, sigma 2, 3,000 names", log_normal),
        Population("200 usual names, 20,000 one-offs", many),
        Population("20 fields, Zipf in each", 1 / ranks, fields=_FIELDS),
        Population("families that repeat two names", 1 / ranks, own=2, silent=0.7),
        Population("50 names, nearly all seen", np.full(50, 1 / 50)),
    )


def trial(
    population: Population, *, families: int, answers: int, seed: int, further: int = FURTHER
) -> Trial:
    """One sample of so many families and answers to each, with its truth from ``further`` ones."""
    rng = np.random.default_rng(seed)
    seen = _draw(population, families, answers, rng)
    more = _draw(population, further, answers, rng)
    by_answer = [f"{family}/{answer}" for family, answer in seen[:, :2].tolist()]
    total = families * answers
    estimate = _estimate(seen, seen[:, 0].tolist(), families=families, answers=total)
    new = ~np.isin(more[:, 2], seen[:, 2])
    fresh = np.unique(more[new][:, [0, 2]], axis=0)
    return Trial(
        estimate,
        _estimate(seen, by_answer, families=total, answers=total),
        chance=float(new.mean()),
        left=int((population.weights > 0).sum()) - estimate.names,
        gain=PER_ANSWERS * len(fresh) / (further * answers),
    )


def _estimate(rows: Integers, units: Sequence[object], *, families: int, answers: int) -> Unseen:
    counts = Counter(zip(rows[:, 2].tolist(), units, strict=True))
    found = (Incidence(str(name), str(unit), count) for (name, unit), count in counts.items())
    return unseen(found, families=families, answers=answers)


def outcome(
    population: Population,
    *,
    families: int,
    answers: int,
    runs: int,
    seed: int,
    further: int = FURTHER,
) -> Outcome:
    """What came of so many samples, each of a seed of its own."""
    trials = [
        trial(population, families=families, answers=answers, seed=seed + n, further=further)
        for n in range(runs)
    ]
    told = [one.estimate for one in trials]
    return Outcome(
        population.title,
        runs,
        chance_covered=_mean([_holds(t.estimate.chance_ci95, t.chance) for t in trials]),
        chance_width=_mean([high - low for low, high in (e.chance_ci95 for e in told)]),
        chance_true=_mean([t.chance for t in trials]),
        chance_estimated=_mean([e.chance for e in told]),
        by_answers_covered=_mean([_holds(t.by_answers.chance_ci95, t.chance) for t in trials]),
        gain_covered=_mean([_holds(t.estimate.gain_ci95, t.gain) for t in trials]),
        gain_true=_mean([t.gain for t in trials]),
        gain_estimated=_mean([e.gain for e in told]),
        left_held=_mean([t.estimate.left_ci95[0] <= t.left for t in trials]),
        left_true=_mean([t.left for t in trials]),
        left_estimated=_mean([e.left for e in told]),
    )


def _holds(interval: Interval, truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are defined: a sample without an invention estimates nothing."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _draw(
    population: Population, families: int, answers: int, rng: np.random.Generator
) -> Integers:
    """The inventions of a sample: rows of family, answer, name; distinct in each answer. (N, 3)"""
    chances = population.weights / population.weights.sum()
    own = rng.choice(len(chances), size=(families, population.own), p=chances)  # (F, K)
    if population.fields > 1:
        orders = np.array([rng_of.permutation(len(chances)) for rng_of in _fields(population)])
        own = orders[rng.integers(population.fields, size=(families, 1)), own]
    steadiness = _STEADINESS ** np.arange(population.own)
    rates = _INVENTIONS * rng.exponential(size=(families, 1))  # some tasks elicit far more
    counts = rng.poisson(rates, size=(families, answers))
    counts[rng.random(families) < population.silent] = 0
    family, answer = np.nonzero(counts)
    times = counts[family, answer]
    family, answer = np.repeat(family, times), np.repeat(answer, times)
    place = rng.choice(population.own, size=len(family), p=steadiness / steadiness.sum())
    rows = np.stack([family, answer, own[family, place]], axis=1)
    return np.unique(rows, axis=0)


def _fields(population: Population) -> list[np.random.Generator]:
    """A generator for each field, always the same: the population doesn't change between draws."""
    return [np.random.default_rng([1, field]) for field in range(population.fields)]


def main() -> None:
    """Prints a row for each population."""
    parser = argparse.ArgumentParser(description="Do the estimates of what is unseen hold?")
    parser.add_argument("--families", type=int, default=100, help="of a simulated sample")
    parser.add_argument("--answers", type=int, default=4, help="to each family's prompts")
    parser.add_argument("--runs", type=int, default=200, help="samples of each population")
    parser.add_argument("--seed", type=int, default=0)
    told = vars(parser.parse_args())
    columns = (
        "chance held", "width", "true", "said", "by answers", "gain held", "true", "said",
        "bound held", "left", "said",
    )  # fmt: skip
    print(f"{'population':36}" + "".join(f"{column:>12}" for column in columns))
    for population in populations():
        one = outcome(population, **told)
        shares = (
            one.chance_covered, one.chance_width, one.chance_true, one.chance_estimated,
            one.by_answers_covered, one.gain_covered,
        )  # fmt: skip
        row = [f"{share:.3f}" for share in shares]
        row += [f"{one.gain_true:.0f}", f"{one.gain_estimated:.0f}", f"{one.left_held:.3f}"]
        row += [f"{one.left_true:,.0f}", f"{one.left_estimated:,.0f}"]
        print(f"{one.population:36}" + "".join(f"{figure:>12}" for figure in row))
    print(f"chance held: wanted is at least {WANTED} of the runs")


if __name__ == "__main__":
    main()
