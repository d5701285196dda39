from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ghostbust.errors import EndpointError
from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.interface import Completer, Look
from ghostbust.gates.sandbox import SandboxLimits
from ghostbust.gates.tasks import STOP, CodingTask
from ghostbust.records import GateVerdict
from ghostbust.statistics import mcnemar_power, tango_upper_bound

PATIENT = SandboxLimits(wall_s=60)


def _tasks(count: int) -> tuple[CodingTask, ...]:
    """Made-up tasks: each adds its own number."""
    return tuple(
        CodingTask(
            task_id=f"Made/{n}",
            prompt=f'def add_{n}(x: int) -> int:\n    """x + {n}"""\n',
            canonical_solution=f"    return x + {n}\n",
            test=f"def check(candidate):\n    assert candidate(1) == {n + 1}\n",
            entry_point=f"add_{n}",
        )
        for n in range(count)
    )


class Knowing:
    """A model that knows the first so many tasks, and counts what it is asked."""

    def __init__(self, tasks: Sequence[CodingTask], known: int, *, chats: bool = False) -> None:
        self.answers = {task.prompt: task.canonical_solution for task in tasks[:known]}
        self.answers |= {
            task.message: f"Sure:\n```python\n{task.prompt}{task.canonical_solution}```\nDone."
            for task in tasks[:known]
        }
        self.chats = chats
        self.asked: list[str] = []

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        assert (self.chats, max_new_tokens, tuple(stop)) == (False, 512, STOP)
        self.asked += texts
        return [self.answers.get(text, "    return None\n") for text in texts]

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        assert (self.chats, max_new_tokens) == (True, 512)
        self.asked += messages
        return [self.answers.get(message, "I can't.") for message in messages]


class Unreachable:
    chats = False

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        return self.complete(messages, max_new_tokens=max_new_tokens, stop=())

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        raise EndpointError("the model server at 127.0.0.1 doesn't answer")


def _outcomes(
    tasks: int, solved: int, *, lost: int = 0, gained: int = 0
) -> tuple[TaskResults, TaskResults]:
    """Base and candidate results with ``solved`` by the base, and so many lost and gained."""
    ids = [f"Made/{n}" for n in range(tasks)]
    base = {task: n < solved for n, task in enumerate(ids)}
    candidate = {task: lost <= n < solved + gained for n, task in enumerate(ids)}
    return TaskResults(base, "completion"), TaskResults(candidate, "completion")


@pytest.mark.parametrize(
    ("tasks", "solved", "lost", "gained", "verdict", "why"),
    [
        (164, 87, 0, 0, GateVerdict.PASS, "at most 0.016, within the margin"),
        (164, 87, 8, 10, GateVerdict.PASS, "8 lost and 10 gained"),
        (164, 87, 15, 2, GateVerdict.FAIL, "the loss is significant"),
        (164, 87, 6, 2, GateVerdict.INCONCLUSIVE, "the loss isn't significant"),
        (164, 11, 11, 0, GateVerdict.FAIL, "0.067 -> 0.000"),
        # A loss that is sure, yet surely within what the margin tolerates.
        (1000, 600, 20, 5, GateVerdict.PASS, "within the margin"),
        # A base that solves hardly anything: the bound is low, and says nothing.
        (164, 3, 0, 0, GateVerdict.INCONCLUSIVE, "can't show"),
        (164, 8, 8, 0, GateVerdict.FAIL, "significant"),
    ],
)
def test_verdicts(
    tasks: int, solved: int, lost: int, gained: int, verdict: GateVerdict, why: str
) -> None:
    base, candidate = _outcomes(tasks, solved, lost=lost, gained=gained)
    result = CodingGate(_tasks(tasks)).compare(base, candidate)
    assert result.verdict is verdict, result.reason
    assert why in result.reason
    assert (result.details["lost"], result.details["gained"]) == (lost, gained)
    assert result.base == solved / tasks
    assert result.candidate == (solved - lost + gained) / tasks
    assert result.ci is not None
    assert result.ci[0] < (lost - gained) / tasks < result.ci[1]


def test_too_few_tasks_are_inconclusive() -> None:
    result = CodingGate(_tasks(99)).compare(*_outcomes(99, 90))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert result.reason == "too few tasks: 99, needs 100"


@pytest.mark.parametrize("missing", ["base", "candidate"])
def test_results_of_fewer_tasks_are_inconclusive(missing: str) -> None:
    results = dict(zip(("base", "candidate"), _outcomes(120, 100), strict=True))
    fewer = dict(list(results[missing].solved.items())[:110])
    results[missing] = replace(results[missing], solved=fewer)
    result = CodingGate(_tasks(120)).compare(**results)
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert f"the {missing} has results for 110 of the 120 tasks" in result.reason


@pytest.mark.parametrize("asked", ["completion", "chat"])
def test_models_are_asked_once_and_their_code_is_run(asked: str) -> None:
    tasks = _tasks(16)
    gate = CodingGate(tasks, min_tasks=16, margin=0.3, limits=PATIENT)
    base, same, worse = (Knowing(tasks, known, chats=asked == "chat") for known in (14, 14, 4))
    known = gate.measure(base)
    assert list(known.solved.values()) == [True] * 14 + [False] * 2
    assert known.asked == asked
    assert gate.run(known, same).verdict is GateVerdict.PASS
    failed = gate.run(known, worse)
    assert failed.verdict is GateVerdict.FAIL
    assert failed.details["lost"] == 10
    said = [task.message if asked == "chat" else task.prompt for task in tasks]
    assert base.asked == worse.asked == said
    assert failed.details["asked"] == asked
    assert f"over 16 tasks asked by {asked}" in failed.reason
    assert "wall time" in str(failed.details["sandbox"])


def test_two_ways_of_asking_are_never_compared() -> None:
    base, candidate = _outcomes(120, 100)
    result = CodingGate(_tasks(120)).compare(base, replace(candidate, asked="chat"))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert result.reason == "the base was asked by completion, the candidate by chat"


@pytest.mark.parametrize(
    ("candidate", "how", "why"),
    [
        (None, {"limits": SandboxLimits(wall_s=0.001)}, "the gate is broken, not the model"),
        (None, {"budget_s": -1.0}, "results for 0 of the 5 tasks: not run, or out of time"),
        (Unreachable(), {}, "doesn't answer"),
    ],
)
def test_what_keeps_tasks_from_being_run_is_inconclusive_not_a_failure(
    candidate: Completer | None, how: dict[str, Any], why: str
) -> None:
    tasks = _tasks(5)
    settings: dict[str, Any] = {"min_tasks": 5, "limits": PATIENT} | how
    gate = CodingGate(tasks, **settings)
    result = gate.run(_outcomes(5, 5)[0], candidate or Knowing(tasks, 5))
    assert result.verdict is GateVerdict.INCONCLUSIVE
    assert why in result.reason


@pytest.mark.parametrize(
    ("look", "verdict", "why"),
    [
        (Look(), GateVerdict.PASS, "at most 0.048, within"),
        (Look(0.05, 4), GateVerdict.PASS, "at most 0.048, within"),
        (Look(0.05, 1, spends=True), GateVerdict.INCONCLUSIVE, "at most 0.054, not within"),
    ],
)
def test_a_look_that_shares_alpha_asks_for_more(look: Look, verdict: GateVerdict, why: str) -> None:
    result = CodingGate(_tasks(164), look=look).compare(*_outcomes(164, 87, lost=6, gained=4))
    assert (result.verdict, why in result.reason) == (verdict, True), result.reason
    assert result.margin == f"upper {look.confidence} bound of the pass@1 loss <= 0.05"
    assert result.ci is not None
    assert result.ci[1] == tango_upper_bound(6, 4, 164, alpha=look.alpha)
    assert result.details["alpha"] == look.alpha
    assert result.details["look"] == look.number


def test_a_loss_that_was_significant_may_not_be_for_a_later_look() -> None:
    outcomes = _outcomes(164, 87, lost=13, gained=2)
    first, fifth = (
        CodingGate(_tasks(164), look=Look(0.05, number, spends=True)).compare(*outcomes)
        for number in (1, 5)
    )
    assert (first.verdict, fifth.verdict) == (GateVerdict.FAIL, GateVerdict.INCONCLUSIVE)
    assert first.details["mcnemar_p"] == fifth.details["mcnemar_p"]


def test_the_power_is_stated() -> None:
    result = CodingGate(_tasks(164)).compare(*_outcomes(164, 87, lost=9, gained=5))
    churn = 14 / 164
    power = mcnemar_power(164, p_lost=churn / 2 + 0.025, p_gained=churn / 2 - 0.025)
    assert result.details["power"] == pytest.approx(power)
    assert f"a loss of 0.05 would be significant with a chance of {power:.2f}" in result.reason


def test_benchmarks_are_pooled_and_stand_in_the_details() -> None:
    base, candidate = _outcomes(120, 90, lost=5, gained=2)
    more = {f"Other/{n}": n < 10 for n in range(60)}
    fewer = more | {"Other/0": False, "Other/30": True}
    tasks = [*_tasks(120), *(replace(_tasks(1)[0], task_id=name) for name in more)]
    result = CodingGate(tasks).compare(
        replace(base, solved={**base.solved, **more}),
        replace(candidate, solved={**candidate.solved, **fewer}),
    )
    assert (result.details["tasks"], result.details["lost"], result.details["gained"]) == (
        180,
        6,
        3,
    )
    assert result.details["Made"] == "90 -> 87 of 120 tasks, 5 lost, 2 gained"
    assert result.details["Other"] == "10 -> 10 of 60 tasks, 1 lost, 1 gained"
