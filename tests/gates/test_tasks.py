"""A task's prompt, solution and test become one program, whichever way the test is called."""

from __future__ import annotations

import pytest

from ghostbust.gates.sandbox import SandboxLimits, run_programs
from ghostbust.gates.tasks import CodingTask, per_benchmark, stripped_prompt

CHECKED = CodingTask(
    "Made/1",
    "def one():",
    "\n    return 1\n",
    "def check(candidate):\n    assert candidate() == 1\n",
    "one",
)
PLAIN = CodingTask("Other/x/2", "def two():", "\n    return 2\n", "assert two() == 2", "")


def test_a_task_knows_its_benchmark() -> None:
    assert (CHECKED.benchmark, PLAIN.benchmark) == ("Made", "Other")
    assert per_benchmark(["Made/1", "Other/2", "Made/3"]) == {"Made": 2, "Other": 1}


@pytest.mark.parametrize("task", [CHECKED, PLAIN], ids=lambda task: task.task_id)
def test_the_test_is_run_on_the_completion(task: CodingTask) -> None:
    completions = [task.canonical_solution, "\n    return 3\n", ""]
    programs = [task.program(completion) for completion in completions]
    results = run_programs(programs, limits=SandboxLimits(wall_s=60))
    assert [result.passed for result in results] == [True, False, False]


@pytest.mark.parametrize("prompt", ["def f():\n", "def f():\n    ", "def f():"])
def test_the_white_space_between_is_the_solutions(prompt: str) -> None:
    stem, solution = stripped_prompt(prompt, "    return 1")
    assert stem == "def f():"
    assert stem + solution == prompt + "    return 1"
