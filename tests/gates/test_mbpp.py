"""MBPP's rows become functions to go on with, by a fixed protocol; other rows are refused.

The tasks here are made up. Those of MBPP itself are read from the file that GHOSTBUST_TEST_MBPP
names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ghostbust.errors import UsageError
from ghostbust.gates.sandbox import SandboxLimits, run_programs
from ghostbust.gates.tasks import CodingTask, load_mbpp, mbpp_task

PATIENT = SandboxLimits(wall_s=60)
CODE = (
    "import math\r\nSCALE = 2\r\n"
    "def helper(x): \r\n\treturn x * SCALE \r\ndef scaled(x): \r\n\treturn helper(x)"
)
TEST = "assert scaled(3) == 6"


def row(**changes: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "text": "Write a function to scale a number.",
        "code": CODE,
        "task_id": 1,
        "test_setup_code": "",
        "test_list": [TEST, "assert scaled(0) == 0"],
        "challenge_test_list": [],
    }
    return plain | changes


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), "utf-8")
    return path


def solved(task: CodingTask, completion: str) -> bool:
    return run_programs([task.program(completion)], limits=PATIENT)[0].passed


def test_a_row_becomes_a_function_to_go_on_with(tmp_path: Path) -> None:
    (task,) = load_mbpp(write(tmp_path / "mbpp.jsonl", [row()]))
    assert task.task_id == "MBPP/1"
    assert task.prompt == (
        "import math\nSCALE = 2\n\ndef helper(x):\n    return x * SCALE\n\ndef scaled(x):\n"
        '    """Write a function to scale a number.\n\n    >>> scaled(3)\n    6\n    """'
    )
    assert task.canonical_solution == "\n    return helper(x)"
    assert solved(task, task.canonical_solution)
    assert not solved(task, "\n    return x")
    assert not solved(task, "")


def test_the_sanitized_form_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "sanitized.json"
    plain = {key: value for key, value in row().items() if key in ("code", "task_id")}
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
    assert solved(task, task.canonical_solution)


@pytest.mark.parametrize(
    ("code", "tests", "setup"),
    [
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
    ],
)
def test_awkward_rows_still_pass_their_own_tests(code: str, tests: list[str], setup: str) -> None:
    task = mbpp_task("MBPP/1", 'Say "it" \\ and """that""".', code, tests, setup)
    assert solved(task, task.canonical_solution)
    assert "Adds." not in task.prompt + task.canonical_solution


def test_several_lines_of_text_are_indented_alike() -> None:
    task = mbpp_task("MBPP/1", " One.\n\nTwo. \n", "def f():\n  return 1", ["assert f() == 1"], "")
    assert task.prompt.endswith('"""One.\n\n    Two.\n\n    >>> f()\n    1\n    """')


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "holds no MBPP tasks"),
        (["text"], "task 1: should be an object"),
        ([row(), row(task_id=2, code=None)], "task 2: needs task_id, code, and text or prompt"),
        ([row(text=3)], "task 1: needs task_id, code, and text or prompt"),
        ([row(test_list=[])], "task 1: needs a test_list of Python statements"),
        ([row(test_list="assert x")], "task 1: needs a test_list of Python statements"),
        ([row(test_setup_code=None)], "task 1: needs a test_list of Python statements"),
        ([row(test_imports=3)], "task 1: needs a test_list of Python statements"),
        ([row(code="x = 1")], "task 1: its tests call no function that its code defines"),
        ([row(code="def scaled(x)")], "task 1: expected ':'"),
        ([row(), row()], "task 2: MBPP/1 comes a second time"),
    ],
)
def test_rows_that_are_no_tasks_are_refused(
    tmp_path: Path, rows: Sequence[object], why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_mbpp(write(tmp_path / "mbpp.jsonl", rows))
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


def test_a_careless_escape_is_no_warning(tmp_path: Path) -> None:
    code = "def f(s):\n  return s == '\\d'"
    tests = ["assert f('\\\\d')"]
    (task,) = load_mbpp(write(tmp_path / "mbpp.jsonl", [row(code=code, test_list=tests)]))
    assert solved(task, task.canonical_solution)


def test_a_solution_cannot_answer_for_the_code_around_its_function() -> None:
    code = "import sys\ndef size(x):\n  return sys.getsizeof(x)\ndef big(x):\n  return size(x) > 9"
    tests = ["assert size(3) == sys.getsizeof(3)", "assert big(3) == (size(3) > 9)"]
    task = mbpp_task("MBPP/1", "Is it big?", code, [tests[1], tests[0]], "")
    assert solved(task, task.canonical_solution)
    lies = "\n    return 7\n\ndef size(x):\n    return X()\n\nclass X:\n"
    lies += "    def __gt__(self, other): return 7\n    getsizeof = size\nsys = X()\n"
    assert not solved(task, lies)


@pytest.mark.slow
def test_mbpps_own_solutions_pass_and_empty_ones_do_not() -> None:
    named = os.environ.get("GHOSTBUST_TEST_MBPP")
    if not named:
        pytest.skip("GHOSTBUST_TEST_MBPP names no file with MBPP's tasks")
    tasks = load_mbpp(Path(named))
    right: list[Any] = [task.program(task.canonical_solution) for task in tasks]
    results = run_programs(right + [task.program("") for task in tasks], limits=PATIENT)
    failed = {t.task_id: r for t, r in zip(tasks, results, strict=False) if not r.passed}
    assert failed == {}
    assert not any(result.passed for result in results[len(tasks) :])
