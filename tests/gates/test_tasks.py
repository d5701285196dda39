"""A task's prompt, solution and test become one program, whichever way the test is called."""

from __future__ import annotations

import pytest

from ghostbust.gates.sandbox import SandboxLimits, run_programs
from ghostbust.gates.tasks import CodingTask, code_beside, per_benchmark, stripped_prompt

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


HELPED = CodingTask(
    "Made/3",
    "from math import floor\n\ndef double(x):\n    return 2 * floor(x)\n\n"
    "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\n\n"
    'def half(x):\n    """Half of x."""',
    "\n    return x / 2 if isinstance(x, int) else Pair(half(x.a), half(x.b))\n",
    "assert double(half(6)) == 6\npair = half(Pair(2, Pair(4, 8)))\n"
    "assert (pair.a, pair.b.a, pair.b.b) == (1, 2, 4)\nassert floor(1.5) == 1",
    "",
    "half",
)
WRONG = "\n    return 7\n\n"


@pytest.mark.parametrize(
    ("completion", "passes"),
    [
        (HELPED.canonical_solution, True),
        (WRONG, False),
        (WRONG + "def double(x):\n    return 6\n", False),
        (WRONG + "def floor(x):\n    return 3\n", False),
        (WRONG + "class Pair:\n    def __init__(self, a, b): self.a, self.b = 1, 2\n", False),
        (HELPED.canonical_solution + "def double(x):\n    return 0\n", True),
    ],
)
def test_helpers_of_the_prompt_are_the_prompts(completion: str, passes: bool) -> None:
    (result,) = run_programs([HELPED.program(completion)], limits=SandboxLimits(wall_s=60))
    assert result.passed is passes


@pytest.mark.parametrize(
    ("prompt", "beside"),
    [
        ("def f():", ""),
        ("def f():\n    # only a comment", ""),
        ("import math\ndef g(): return 1\ndef f():", "import math\ndef g():\n    return 1"),
        ("x = 1\nclass f:", "x = 1\nclass f:\n    pass"),
        ("no python at all", ""),
    ],
)
def test_what_a_prompt_defines_beside_its_function(prompt: str, beside: str) -> None:
    assert code_beside(prompt, ["f"]) == beside


def test_a_prompt_that_is_no_python_takes_nothing_of_the_program() -> None:
    task = CodingTask("Made/4", "?", "", "assert g() == 1", "", "f")
    (result,) = run_programs([task.program("\n")], limits=SandboxLimits(wall_s=60))
    assert not result.passed
