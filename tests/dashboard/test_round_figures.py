"""A round's figures: losses from its manifest, both runs' rates, and answers that flipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ghostbust.dashboard.details import Flips, flips, read_figures
from ghostbust.home import Home
from ghostbust.measure import NameCounts
from ghostbust.records import Context, Verdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.tallies import SampleTally

if TYPE_CHECKING:
    from tests.dashboard.conftest import Filler

A, R = Verdict.ABSENT, Verdict.REAL


def tally(prompt: str, invented: int, number: int = 0) -> SampleTally:
    return SampleTally(prompt, number, "family", Context.CODE, NameCounts(1, 1, invented))


def test_flips_compare_the_same_prompt_and_number_only() -> None:
    base = [tally("a", 1), tally("a", 0, 1), tally("b", 2), tally("c", 0), tally("only base", 1)]
    candidate = [tally("c", 0), tally("b", 1), tally("a", 1, 1), tally("a", 0), tally("other", 1)]

    assert flips(base, candidate) == Flips(cured=("a",), broken=("a",), both=1, neither=1)


def test_figures_of_a_round_that_was_judged(home: Home, filler: Filler) -> None:
    name = filler.round(RoundState.WAITING, losses=(2.0, 1.5, 1.25))
    filler.judged(None, {"one": {"zz-a": A, "numpy": R}, "two": {"numpy": R}})
    filler.judged(name, {"one": {"numpy": R}, "two": {"zz-b": A, "numpy": R}})
    with filler.store() as store:
        figures = read_figures(store, store.rounds.get(1))

    assert figures.losses == (2.0, 1.5, 1.25)
    assert figures.missing == ""
    assert [run for run, _ in figures.rates] == ["base", name]
    assert figures.flips is not None
    assert (len(figures.flips.cured), len(figures.flips.broken)) == (1, 1)


def test_a_round_that_was_not_judged_says_what_is_missing(home: Home, filler: Filler) -> None:
    filler.round(RoundState.REJECTED)
    with filler.store() as store:
        figures = read_figures(store, store.rounds.get(1))

    assert (figures.losses, figures.rates, figures.flips) == ((), (), None)
    assert figures.missing == "Its manifest has no losses."
