"""Looks share alpha, answers of two models are paired, and a gate that didn't run never passes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ghostbust.gates.interface import (
    MIN_FAMILIES,
    Look,
    Unpaired,
    inconclusive,
    paired,
    spent_alpha,
)
from ghostbust.records import Answer, GateReport, GateVerdict
from ghostbust.side_by_side import SideBySide

MakeAnswer = Callable[..., Answer]


def test_a_gate_that_did_not_run_never_passes_a_report() -> None:
    result = inconclusive("coding", "not run: no data", "loss <= 0.05")
    assert (result.verdict, result.reason) == (GateVerdict.INCONCLUSIVE, "not run: no data")
    assert (result.base, result.candidate, result.ci) == (None, None, None)
    assert GateReport("round-1", (result,)).verdict is GateVerdict.INCONCLUSIVE


def test_all_looks_together_spend_what_there_is() -> None:
    """The tail of Σ 1/k² behind n is between 1/(n + 1) and 1/n."""
    spent = math.fsum(spent_alpha(0.05, look) for look in range(1, 10_001))
    assert 0.05 - 0.05 * 6 / math.pi**2 / 10_000 < spent < 0.05


def test_the_shares_are_what_the_docs_say() -> None:
    shares = [spent_alpha(0.05, look) for look in (1, 2, 5, 10, 365)]
    assert shares == pytest.approx([0.0304, 0.0076, 0.0012, 0.0003, 2.3e-7], rel=0.02)


def test_a_look_that_spends_nothing_has_all_of_it() -> None:
    assert Look(0.1, 7).alpha == 0.1
    assert Look(0.1, 7, spends=True).alpha == spent_alpha(0.1, 7)
    assert Look().details == {"alpha": 0.05, "look": 1, "spend": "none"}
    assert Look(0.1, 7, spends=True).details == {
        "alpha": spent_alpha(0.1, 7),
        "alpha_total": 0.1,
        "look": 7,
        "spend": "rounds",
    }


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (Look(), "95 %"),
        (Look(0.1), "90 %"),
        (Look(0.025), "97.5 %"),
        (Look(0.05, 1, spends=True), "97 %"),
        (Look(0.05, 2, spends=True), "99.24 %"),
        (Look(0.05, 365, spends=True), "99.999977 %"),
    ],
)
def test_the_confidence_is_told_from_certainty(look: Look, said: str) -> None:
    assert look.confidence == said


@pytest.mark.parametrize(("total", "number"), [(0.0, 1), (0.5, 1), (-0.1, 1), (0.05, 0)])
def test_impossible_looks_are_refused(total: float, number: int) -> None:
    with pytest.raises(ValueError, match="a look needs"):
        Look(total, number)


def test_blocks_share_the_part_of_their_look() -> None:
    alphas = [Look(0.05, 2, True, block, 4).alpha for block in (1, 2, 3, 4)]
    assert alphas == sorted(alphas)
    assert alphas[0] < 1e-4 < alphas[-1] < spent_alpha(0.05, 2) < sum(alphas) * 1.5
    assert Look(0.05, 2, True, 3, 4).details["block"] == "3 of 4"
    with pytest.raises(ValueError, match="a look needs"):
        Look(block=5, blocks=4)


def test_the_same_prompts_pair_in_any_order(make_answer: MakeAnswer) -> None:
    base = [make_answer(family, real=1) for family in range(20)]
    candidate = [make_answer(family, real=2) for family in reversed(range(20))]
    pair = paired(base, candidate)
    assert isinstance(pair, SideBySide)
    assert pair.totals("real") == (20, 40)
    assert pair.totals("faulty") == (20, 20), "they have no text"


@pytest.mark.parametrize(
    ("base", "candidate", "why"),
    [
        ([], range(20), "not run"),
        (range(20), [], "not run"),
        (range(20), range(1, 21), "the same prompts"),
        (range(20), [*range(20), 3], "the same prompts equally often"),
        (range(MIN_FAMILIES - 1), range(MIN_FAMILIES - 1), "too few prompt families: 9, needs 10"),
    ],
)
def test_what_cannot_be_paired(
    make_answer: MakeAnswer, base: range, candidate: range, why: str
) -> None:
    sides = [[make_answer(family, real=1) for family in side] for side in (base, candidate)]
    pair = paired(sides[0], sides[1])
    assert isinstance(pair, Unpaired)
    assert why in pair.reason


@pytest.mark.parametrize("side", [0, 1])
def test_an_unreachable_registry_cannot_be_paired(make_answer: MakeAnswer, side: int) -> None:
    sides = [[make_answer(family, real=4) for family in range(20)] for _ in range(2)]
    sides[side][:2] = [make_answer(family, real=3, unreachable=1) for family in range(2)]
    pair = paired(sides[0], sides[1])
    assert isinstance(pair, Unpaired)
    assert "could not be asked about 2% of the" in pair.reason


def test_one_name_in_fifty_may_go_unanswered(make_answer: MakeAnswer) -> None:
    reached = [make_answer(family, real=5) for family in range(20)]
    mostly = [make_answer(0, real=3, unreachable=2), *reached[1:]]
    assert isinstance(paired(reached, mostly), SideBySide)
