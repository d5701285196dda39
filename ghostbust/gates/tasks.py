"""A coding task: a prompt that a bare completion goes on with, a solution, and a test."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

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
