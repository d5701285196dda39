"""Utility's figures are those of the counts and scores; base against itself shows no more noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.evaluation import utility
from ghostbust.evaluation.utility import (
    ALL,
    MeasuredTasks,
    UtilityResult,
    compare_utility,
    measure_model,
    measure_reordered,
)
from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.interface import Look, Subject
from ghostbust.gates.likelihood import LikelihoodGate
from ghostbust.gates.sandbox import SandboxLimits
from ghostbust.gates.tasks import CodingTask
from ghostbust.records import GateVerdict, Score
from ghostbust.samplers.local import LocalSampler
from ghostbust.statistics import mcnemar_one_sided, mcnemar_two_sided, tango_upper_bound


def gates(
    tasks: Sequence[CodingTask], look: Look | None = None, min_tasks: int = 1
) -> tuple[CodingGate, LikelihoodGate]:
    """The gates that measure and judge the tasks."""
    look = look or Look()
    coding = CodingGate(
        tasks,
        look=look,
        min_tasks=min_tasks,
        max_new_tokens=8,
        limits=SandboxLimits(wall_s=60),
    )
    return coding, LikelihoodGate(tasks, look=look, min_tasks=min_tasks)


def tasks_of(benchmark: str, count: int) -> list[CodingTask]:
    """Made-up tasks: each adds its own number."""
    return [
        CodingTask(
            f"{benchmark}/{n}",
            f'def add_{benchmark}_{n}(x):\n    """x + {n}"""',
            f"\n    return x + {n}\n",
            f"assert add_{benchmark}_{n}(1) == {n + 1}",
            "",
        )
        for n in range(count)
    ]


class Scripted:
    """A model that solves some tasks, and gives each character so many nats."""

    chats = False

    def __init__(self, solves: Sequence[CodingTask], nats: float) -> None:
        self.answers = {task.prompt: task.canonical_solution for task in solves}
        self.nats = nats
        self.asked: list[str] = []
        self.scored: list[int] = []

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        self.asked += texts
        return [self.answers.get(text, "\n    return None\n") for text in texts]

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        raise AssertionError("it has no chat template")

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        self.scored.append(len(pairs))
        return [Score(self.nats * len(text), len(text)) for _, text in pairs]


def measured(
    tasks: Sequence[CodingTask], solves: Sequence[CodingTask], nats: float
) -> MeasuredTasks:
    """A model that solves some tasks, and gives each token so many nats."""
    results = TaskResults({task.task_id: task in solves for task in tasks}, "completion")
    return MeasuredTasks(results, {task.task_id: Score(4 * nats, 4) for task in tasks})


def against_itself(model: Subject, tasks: Sequence[CodingTask]) -> UtilityResult:
    """A model's two runs, the second in another order."""
    used = gates(tasks)
    return compare_utility(measure_model(model, *used), measure_reordered(model, *used), *used)


def test_every_benchmark_and_all_together_are_counted() -> None:
    one, two = tasks_of("One", 12), tasks_of("Two", 20)
    tasks = [*one, *two]
    base = measured(tasks, [*one[:8], *two[:5]], 1.0)
    adapted = measured(tasks, [*one[3:9], *two[:6]], 1.02)
    result = compare_utility(base, adapted, *gates(tasks))
    assert [part.benchmark for part in result.parts] == ["One", "Two", ALL]
    counts = [
        (part.tasks, part.solved_before, part.solved_after, part.lost, part.gained)
        for part in result.parts
    ]
    assert counts == [(12, 8, 6, 3, 1), (20, 5, 6, 0, 1), (32, 13, 12, 3, 2)]
    pooled = result.pooled
    assert pooled.p_one_sided == mcnemar_one_sided(3, 2)
    assert pooled.p_two_sided == mcnemar_two_sided(3, 2)
    assert pooled.loss_bound == tango_upper_bound(3, 2, 32)
    assert 0 < pooled.power < 1
    assert (result.coding.details["lost"], result.coding.details["tasks"]) == (3, 32)
    assert (result.base, result.candidate, result.alpha) == ("base", "adapted", 0.05)


def test_a_likelihood_that_falls_by_two_percent_says_so() -> None:
    tasks = tasks_of("One", 10)
    result = compare_utility(measured(tasks, [], 0.5), measured(tasks, [], 0.51), *gates(tasks))
    part = result.pooled
    assert (part.log_likelihood_before, part.log_likelihood_after) == pytest.approx((-0.5, -0.51))
    assert part.change_nats == pytest.approx((-0.01, -0.01))
    assert part.change_percent == pytest.approx(-2)
    assert part.change_percent_interval == pytest.approx((-2, -2))
    assert result.likelihood.verdict is GateVerdict.PASS


def test_the_worse_end_of_the_likelihoods_interval_comes_first() -> None:
    tasks = tasks_of("One", 40)
    solved = TaskResults({task.task_id: True for task in tasks}, "chat")
    before = {task.task_id: Score(1.0, 1) for task in tasks}
    after = {task.task_id: Score(1.0 + (n < 10) * 0.4, 1) for n, task in enumerate(tasks)}
    sides = MeasuredTasks(solved, before), MeasuredTasks(solved, after)
    part = compare_utility(*sides, *gates(tasks)).pooled
    assert part.change_percent == pytest.approx(-10)
    low, high = part.change_percent_interval
    assert low < -10 < high < 0
    assert part.change_nats == pytest.approx((low / 100, high / 100))
    half = 1.645 * 0.4 * math.sqrt(0.25 * 0.75 / 40)
    assert high - low == pytest.approx(200 * half, rel=0.15)


def test_bounds_are_the_looks() -> None:
    tasks = tasks_of("One", 40)
    solved = TaskResults({task.task_id: n % 2 == 0 for n, task in enumerate(tasks)}, "chat")
    scores = {task.task_id: Score(1.0 + n % 3, 1) for n, task in enumerate(tasks)}
    after = {task.task_id: Score(1.0 + n % 4, 1) for n, task in enumerate(tasks)}
    sides = MeasuredTasks(solved, scores), MeasuredTasks(solved, after)
    plain, shared = (
        compare_utility(*sides, *gates(tasks, look))
        for look in (Look(), Look(0.05, 5, spends=True))
    )
    assert shared.pooled.loss_bound > plain.pooled.loss_bound
    assert shared.pooled.change_nats[0] < plain.pooled.change_nats[0]
    assert shared.coding.details["look"] == 5


def test_few_tasks_have_figures_but_no_verdict() -> None:
    tasks = tasks_of("One", 5)
    same = measured(tasks, tasks, 1.0)
    result = compare_utility(same, same, *gates(tasks, min_tasks=100))
    assert result.pooled.solved_before == result.pooled.solved_after == 5
    assert {result.coding.verdict, result.likelihood.verdict} == {GateVerdict.INCONCLUSIVE}


@pytest.mark.parametrize("what", ["no task", "an outcome is missing", "a score is missing"])
def test_what_cannot_be_compared_is_refused(what: str) -> None:
    tasks = [] if what == "no task" else tasks_of("One", 3)
    solved = {task.task_id: True for task in tasks}
    scores = {task.task_id: Score(1.0, 1) for task in tasks}
    fewer = dict(list(solved.items())[1:]) if what == "an outcome is missing" else solved
    less = dict(list(scores.items())[1:]) if what == "a score is missing" else scores
    with pytest.raises(ValueError, match="every task, and a task"):
        compare_utility(
            MeasuredTasks(TaskResults(solved, "chat"), scores),
            MeasuredTasks(TaskResults(fewer, "chat"), less),
            *gates(tasks),
        )


def test_results_that_were_asked_in_different_ways_are_never_compared() -> None:
    tasks = tasks_of("One", 3)
    side = measured(tasks, tasks, 1.0)
    other = replace(side, results=replace(side.results, asked="chat"))
    with pytest.raises(ValueError, match="asked in different ways"):
        compare_utility(side, other, *gates(tasks))


def test_the_second_time_everything_is_asked_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(utility, "AA_BLOCK", 5)
    tasks = tasks_of("One", 8)
    model = Scripted(tasks[:3], 1.0)
    result = against_itself(model, tasks)
    first, second = model.asked[:8], model.asked[8:]
    assert first == [task.prompt for task in tasks]
    assert second != first
    assert sorted(second) == sorted(first)
    assert model.scored == [8, 5, 3]
    part = result.pooled
    assert (part.solved_before, part.solved_after, part.lost, part.gained) == (3, 3, 0, 0)
    assert part.change_nats == (0, 0)


def test_a_real_model_against_itself_shows_rounding_and_no_more(tiny_model_dir: Path) -> None:
    sampler = LocalSampler.load(str(tiny_model_dir), tiny_model_dir)
    result = against_itself(sampler, [*tasks_of("One", 4), *tasks_of("Two", 3)])
    part = result.pooled
    assert part.tasks == 7
    assert part.log_likelihood_before < -1
    assert abs(part.log_likelihood_after - part.log_likelihood_before) < 0.01
    assert part.change_percent_interval == pytest.approx((0, 0), abs=0.5)
