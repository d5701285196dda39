"""The simulation: the same for the same seed, and its truth is the population's."""

from __future__ import annotations

import numpy as np
import pytest

from ghostbust.bench.populations import Population, outcome, populations, trial


def test_a_trial_is_its_seed() -> None:
    population = populations()[0]
    one, same, other = (trial(population, families=10, answers=2, seed=n) for n in (1, 1, 2))
    assert one == same
    assert one != other


def test_the_truth_is_what_the_population_says() -> None:
    """One name of two, always: the other half of all inventions is new. All names: none is."""
    uniform = Population("two of a thousand", np.ones(1000), own=1, silent=0)
    few = trial(uniform, families=100, answers=2, seed=0)
    unseen_share = 1 - few.estimate.names / 1000
    assert few.chance == pytest.approx(unseen_share, abs=0.03)
    assert few.left == 1000 - few.estimate.names
    everything = trial(Population("two", np.ones(2), silent=0), families=60, answers=3, seed=0)
    assert (everything.chance, everything.left, everything.gain) == (0, 0, 0)


def test_names_of_a_family_repeat_and_fields_differ() -> None:
    alike = trial(Population("one field", 1 / np.arange(1, 500.0)), families=60, answers=4, seed=3)
    apart = Population("twenty fields", 1 / np.arange(1, 500.0), fields=20)
    fields = trial(apart, families=60, answers=4, seed=3)
    assert fields.estimate.chance > alike.estimate.chance
    assert alike.estimate.inventions > alike.estimate.once + 2 * alike.estimate.twice


def test_an_outcome_counts_runs_that_held() -> None:
    got = outcome(populations()[0], families=20, answers=2, runs=8, seed=0, further=300)
    shares = (got.chance_covered, got.by_answers_covered, got.gain_covered, got.left_held)
    assert got.runs == 8
    assert all(share * 8 == round(share * 8) and 0 <= share <= 1 for share in shares)
    assert 0 < got.chance_width < 1
