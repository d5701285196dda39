"""The bandit learns what pays, of each dimension by itself, and never stops trying."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ghostbust.loop.discovery.pool import Arm, Bandit, Evidence, dispersion

DOMAINS, OPERATORS, FORMS = ("maps", "audio"), ("rarer", "pin", "agent"), ("list", "code")
TRUE = {"maps": 1.0, "audio": 1.0, "rarer": 2.0, "pin": 0.5, "agent": 0.1, "list": 1.5, "code": 0.5}


def evidence(cost: float) -> dict[Arm, Evidence]:
    """What arms bring whose yield is 5 names a thousand tokens times the three factors."""
    return {
        Arm(d, o, f): Evidence(5 * TRUE[d] * TRUE[o] * TRUE[f] * cost, cost)
        for d in DOMAINS
        for o in OPERATORS
        for f in FORMS
    }


def test_factors_are_told_apart_where_each_was_tried_with_all_others() -> None:
    bandit = Bandit(evidence(50))
    assert bandit.factor(1, "rarer") / bandit.factor(1, "pin") == pytest.approx(4, rel=0.05)
    assert bandit.factor(2, "list") / bandit.factor(2, "code") == pytest.approx(3, rel=0.05)
    assert bandit.factor(0, "maps") == pytest.approx(bandit.factor(0, "audio"))


def test_an_operator_is_not_blamed_for_the_form_it_was_tried_in() -> None:
    """Both pay alike; one was tried in the poor form only, the other mostly in the good one."""
    seen = {
        Arm("maps", "a", "code"): Evidence(10, 10),
        Arm("maps", "b", "list"): Evidence(100, 10),
        Arm("maps", "b", "code"): Evidence(2, 2),
        Arm("maps", "c", "code"): Evidence(40, 40),
        Arm("maps", "c", "list"): Evidence(400, 40),
    }
    bandit = Bandit(seen)
    assert bandit.factor(1, "a") / bandit.factor(1, "b") == pytest.approx(1, abs=0.2)
    assert bandit.factor(2, "list") > 3 * bandit.factor(2, "code")


def test_what_is_unknown_is_expected_to_be_average_and_is_tried() -> None:
    bandit, rng = Bandit(evidence(2)), random.Random(1)
    assert bandit.factor(1, "new") == 1
    firsts: Counter[str] = Counter()
    for _ in range(400):
        drawn = bandit.draw(1, [*OPERATORS, "new"], rng)
        firsts[max(drawn, key=drawn.__getitem__)] += 1
    assert firsts["rarer"] > firsts["new"] > 5
    assert firsts["agent"] < 5


def test_nothing_known_prefers_nothing() -> None:
    bandit, rng = Bandit({}), random.Random(1)
    firsts: Counter[str] = Counter()
    for _ in range(600):
        drawn = bandit.draw(1, OPERATORS, rng)
        firsts[max(drawn, key=drawn.__getitem__)] += 1
    assert min(firsts.values()) > 140
    assert bandit.dropped(OPERATORS) == []


def test_an_operator_is_dropped_once_it_surely_does_not_pay() -> None:
    assert Bandit(evidence(0.1)).dropped(OPERATORS) == []
    assert Bandit(evidence(20)).dropped(OPERATORS) == ["agent"]
    assert Bandit(evidence(20), dispersion=200).dropped(OPERATORS) == [], "less evidence than it"


def test_an_operator_that_only_costs_is_dropped() -> None:
    seen = evidence(20) | {Arm("maps", "broader", "list"): Evidence(0, 3)}
    assert "broader" in Bandit(seen).dropped([*OPERATORS, "broader"])


def test_dispersion_is_one_for_a_poisson_and_more_for_lists() -> None:
    rng = random.Random(2)
    single = [float(rng.random() < 0.2) for _ in range(4000)]
    assert dispersion(single, [0.2] * 4000) == 1.0
    lists = [5.0 * one for one in single]
    assert dispersion(lists, [1.0] * 4000) == pytest.approx(4, rel=0.15)
    assert dispersion([], []) == dispersion([1], [1]) == 1.0
