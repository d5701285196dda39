"""MBPP's tasks, from a file of its format, as functions that a bare completion goes on with.

Source: Austin et al. (2021), arXiv 2108.07732; 974 short tasks, of which 427 are its
"sanitized" half. Both files are read: ``mbpp.jsonl``, one task a line with ``text``, and
``sanitized-mbpp.json``, one list with ``prompt`` and ``test_imports``.

The protocol. A task is the head of a function, its docstring the task's text and the first
of its assertions as an example; the model goes on with the body, greedily, and all
assertions are run on what it wrote::

    def add_all(numbers):
        \"\"\"Write a function to add up all numbers of a list.

        >>> add_all([1, 2, 3])
        6
        \"\"\"

Name and parameters are the canonical solution's, and what it has beside that function
(imports, constants, other functions and classes) stands in front of it. All of it is laid
out anew by ``ast``, so that tabs and blanks of many authors are the same four blanks.

What that differs in. The paper puts three solved tasks and all three assertions in front,
and has the model write the whole function; others show the text alone, or ask through a
chat template. Here the signature and the imports are given away, a base model needs no
examples, and the form is HumanEval's, so that both can be pooled. The rate of solved tasks
compares with that of no publication; two models under the same protocol do compare. The
layout is that of the running Python's ``ast.unparse``: log-likelihoods compare within one
Python version.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from pathlib import Path

from ghostbust.errors import UsageError
from ghostbust.gates.tasks import CodingTask
from ghostbust.parsing import ParseError, parse_row

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
