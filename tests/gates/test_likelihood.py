from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from ghostbust.errors import EndpointError
from ghostbust.gates.interface import Look
from ghostbust.gates.likelihood import LikelihoodGate
from ghostbust.gates.tasks import CodingTask
from ghostbust.records import GateVerdict, Score

TASKS = tuple(
    CodingTask(f"Made/{n}", f"prompt {n}", "x" * (n + 1), "test", "f") for n in range(120)
)


class Even:
    """A scorer that gives each character so many nats, and every other task a bit more."""

    def __init__(self, nats: float, spread: float = 0.0) -> None:
        self.nats = nats
        self.spread = spread
        self.calls = 0

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        self.calls += 1
        assert pairs[3] == ("prompt 3", "xxxx")
        each = [self.nats + self.spread * (-1) ** n for n in range(len(pairs))]
        return [Score(n * len(t), len(t)) for n, (_, t) in zip(each, pairs, strict=True)]


class Unreachable:
    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        raise EndpointError("the model server at 127.0.0.1 doesn't answer")


@pytest.mark.parametrize(
    ("nats", "spread", "verdict", "why"),
    [
        (0.50, 0.0, GateVerdict.PASS, "+0.0000 [+0.0000, +0.0000], within the margin of 0.02"),
        (0.51, 0.02, GateVerdict.PASS, "within the margin"),
        (0.40, 0.0, GateVerdict.PASS, "-0.1000"),
        (0.55, 0.0, GateVerdict.FAIL, "beyond the margin of 0.02"),
        (0.52, 0.1, GateVerdict.INCONCLUSIVE, "across the margin of 0.02"),
    ],
)
def test_verdicts(nats: float, spread: float, verdict: GateVerdict, why: str) -> None:
    result = LikelihoodGate(TASKS).run(Even(0.5), Even(nats, spread))
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert result.base == pytest.approx(0.5)
    assert result.candidate == pytest.approx(nats)
    assert result.ci is not None
    assert result.ci[0] <= nats - 0.5 + 1e-9 <= result.ci[1] + 2e-9
    assert result.details["Made"] == f"0.5000 -> {nats:.4f} over 120 tasks"


def test_bounds_are_one_sided_95_percent() -> None:
    result = LikelihoodGate(TASKS).run(Even(0.5), Even(0.5, spread=0.1))
    half = 1.645 * 0.1 / math.sqrt(len(TASKS))
    assert result.ci == pytest.approx((-half, half), rel=0.1)


def test_a_look_that_shares_alpha_has_wider_bounds() -> None:
    plain, shared = (
        LikelihoodGate(TASKS, look=look).run(Even(0.5), Even(0.505, spread=0.08))
        for look in (Look(), Look(0.05, 8, spends=True))
    )
    assert (plain.verdict, shared.verdict) == (GateVerdict.PASS, GateVerdict.INCONCLUSIVE)
    half = 3.31 * 0.08 / math.sqrt(len(TASKS))  # 3.31: the normal quantile of 0.05·6 / (π²·8²)
    assert shared.ci == pytest.approx((0.005 - half, 0.005 + half), rel=0.15)
    assert shared.margin.startswith("upper 99.953 % bound")
    assert shared.details["look"] == 8


def test_a_task_counts_once_however_long_it_is() -> None:
    gate = LikelihoodGate(TASKS[:100])
    base = {task.task_id: Score(1.0, 1) for task in gate.tasks}
    candidate = dict(base)
    base["Made/0"] = candidate["Made/0"] = Score(1000.0, 1000)
    assert gate.compare(base, candidate).base == pytest.approx(1.0)


def test_known_scores_are_not_measured_again() -> None:
    gate, base = LikelihoodGate(TASKS), Even(0.5)
    known = gate.measure(base)
    assert gate.run(known, Even(0.5)).verdict is GateVerdict.PASS
    assert gate.run(known, known).reason == gate.run(base, base).reason
    assert base.calls == 3


def test_too_few_tasks_are_inconclusive() -> None:
    result = LikelihoodGate(TASKS[:99]).run(Even(0.5), Even(0.5))
    assert (result.verdict, result.reason) == (
        GateVerdict.INCONCLUSIVE,
        "too few tasks: 99, needs 100",
    )


@pytest.mark.parametrize(
    ("score", "why"),
    [
        (None, "the candidate has scores for 119 of 120 tasks"),
        (Score(math.nan, 8), "1 of the candidate's scores aren't numbers, Made/7 first"),
        (Score(math.inf, 8), "1 of the candidate's scores aren't numbers, Made/7 first"),
        (Score(0.0, 0), "1 of the candidate's scores aren't numbers, Made/7 first"),
        (Score(4.5, 9), "different tokens"),
    ],
)
def test_scores_that_cannot_be_compared_are_inconclusive(score: Score | None, why: str) -> None:
    gate = LikelihoodGate(TASKS)
    base = gate.measure(Even(0.5))
    candidate = {task: known for task, known in base.items() if task != "Made/7"}
    if score is not None:
        candidate["Made/7"] = score
    result = gate.compare(base, candidate)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert why in result.reason


def test_an_unreachable_model_is_inconclusive() -> None:
    result = LikelihoodGate(TASKS).run(Even(0.5), Unreachable())
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert "doesn't answer" in result.reason
