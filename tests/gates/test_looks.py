"""The looks' shares add up to what they share, and a look says what it may err by."""

from __future__ import annotations

import math

import pytest

from ghostbust.gates.interface import Look, spent_alpha


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
