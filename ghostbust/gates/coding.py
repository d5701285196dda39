"""The gate on pass@1: whether the candidate still solves the coding tasks that the base solves.

Tasks of several benchmarks, HumanEval's and MBPP's, are pooled: one decision on all of them sees a
smaller loss than one on each. The details have the counts of each.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ghostbust.errors import SandboxError, UnreachableError
from ghostbust.gates.interface import Completer, Look, inconclusive
from ghostbust.gates.layers import require_layers, sandbox_layers
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs
from ghostbust.gates.tasks import STOP, CodingTask, benchmark_of, per_benchmark
from ghostbust.records import GateResult, GateVerdict
from ghostbust.statistics import mcnemar_one_sided, power_at_margin, tango_upper_bound

GATE = "coding"
BLOCK = 96
"""completions sampled at once; the time budget is checked between blocks"""

Asked = Literal["chat", "completion"]
"""how tasks were asked: for the whole function through the chat template or the chat endpoint, or
by a bare completion of its head"""


@dataclass(frozen=True, slots=True)
class TaskResults:
    """What one model makes of coding tasks."""

    solved: Mapping[str, bool]
    """task id -> whether the task was solved"""
    asked: Asked
    """results that were asked another way aren't compared with these"""


@dataclass(frozen=True, slots=True)
class CodingGate:
    """Compares the pass@1 of greedy answers, paired by task, over all benchmarks together.

    With the ``look``'s alpha, 0.05 by default. PASS: the upper 1 - alpha bound of the loss (Tango)
    is within ``margin``, and the base solves a larger share than ``margin``, since else even a
    model that solves nothing would pass. FAIL: otherwise, if the loss is significant (exact
    one-sided McNemar, p <= alpha). INCONCLUSIVE: everything else, and any reason why tasks weren't
    run.
    """

    tasks: Sequence[CodingTask]
    margin: float = 0.05
    """largest tolerated loss, as a share of the tasks"""
    look: Look = field(default_factory=Look)
    min_tasks: int = 100
    max_new_tokens: int = 512
    budget_s: float = 3600.0
    """wall time for one model's answers; tasks that aren't begun by then have no result"""
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    workers: int | None = None
    """programs run at a time; None for one per processor"""
    layers: Sequence[str] = ()
    """layers of the sandbox, names of ``layers.PROBES``: where one is missing, nothing is run"""

    @property
    def condition(self) -> str:
        """The condition to pass, in words."""
        return f"upper {self.look.confidence} bound of the pass@1 loss <= {self.margin:g}"

    def run(self, base: Completer | TaskResults, candidate: Completer | TaskResults) -> GateResult:
        """The gate's result. Takes results instead of a model where they are known already."""
        try:
            before = base if isinstance(base, TaskResults) else self.measure(base)
            after = candidate if isinstance(candidate, TaskResults) else self.measure(candidate)
        except (SandboxError, UnreachableError) as error:
            return inconclusive(GATE, str(error), self.condition)
        return self.compare(before, after)

    def measure(self, model: Completer) -> TaskResults:
        """Which tasks ``model`` solves; a task not begun within the budget isn't in it.

        A model that chats is asked through its chat template, any other by completion. Raises
        SandboxError if the sandbox can't be trusted, or lacks one of ``layers``.
        """
        require_layers(self.layers)
        started = time.monotonic()
        programs: dict[str, Program] = {}
        for first in range(0, len(self.tasks), BLOCK):
            if time.monotonic() - started > self.budget_s:
                break
            block = self.tasks[first : first + BLOCK]
            if model.chats:
                answers = model.answer(
                    [task.message for task in block], max_new_tokens=self.max_new_tokens
                )
                made = [task.program_of_answer(a) for task, a in zip(block, answers, strict=True)]
            else:
                answers = model.complete(
                    [task.prompt for task in block], max_new_tokens=self.max_new_tokens, stop=STOP
                )
                made = [task.program(a) for task, a in zip(block, answers, strict=True)]
            programs |= {task.task_id: program for task, program in zip(block, made, strict=True)}
        results = run_programs(list(programs.values()), limits=self.limits, workers=self.workers)
        solved = {task: result.passed for task, result in zip(programs, results, strict=True)}
        return TaskResults(solved, "chat" if model.chats else "completion")

    def compare(self, base: TaskResults, candidate: TaskResults) -> GateResult:
        """The gate's result for known outcomes. Runs nothing."""
        tasks, alpha = len(self.tasks), self.look.alpha
        if tasks < self.min_tasks:
            reason = f"too few tasks: {tasks}, needs {self.min_tasks}"
            return inconclusive(GATE, reason, self.condition)
        wanted = {task.task_id for task in self.tasks}
        for name, results in (("base", base), ("candidate", candidate)):
            if set(results.solved) != wanted:
                reason = (
                    f"the {name} has results for {len(wanted & set(results.solved))} of the"
                    f" {len(wanted)} tasks: not run, or out of time"
                )
                return inconclusive(GATE, reason, self.condition)
        if base.asked != candidate.asked:
            reason = f"the base was asked by {base.asked}, the candidate by {candidate.asked}"
            return inconclusive(GATE, reason, self.condition)
        lost, gained = changed(base.solved, candidate.solved)
        before, after = (sum(side.solved.values()) / tasks for side in (base, candidate))
        p = mcnemar_one_sided(lost, gained)
        upper = tango_upper_bound(lost, gained, tasks, alpha=alpha)
        lower = -tango_upper_bound(gained, lost, tasks, alpha=alpha)
        power = power_at_margin(tasks, lost + gained, margin=self.margin, alpha=alpha)
        if upper <= self.margin and before > self.margin:
            verdict, why = GateVerdict.PASS, f"within the margin of {self.margin:g}"
        elif p <= alpha:
            verdict = GateVerdict.FAIL
            why = f"and the loss is significant (margin {self.margin:g})"
        elif upper <= self.margin:
            verdict = GateVerdict.INCONCLUSIVE
            why = f"but the base solves so few that a loss over {self.margin:g} can't show"
        else:
            verdict = GateVerdict.INCONCLUSIVE
            why = (
                f"not within {self.margin:g}, yet the loss isn't significant: more tasks would tell"
            )
        return GateResult(
            gate=GATE,
            verdict=verdict,
            reason=(
                f"pass@1 {before:.3f} -> {after:.3f} over {tasks} tasks asked by {base.asked},"
                f" {lost} lost and {gained} gained (McNemar p = {p:.2g}): the loss is at most"
                f" {upper:.3f}, {why}; a loss of {self.margin:g} would be significant with a"
                f" chance of {power:.2f}"
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
                "power": power,
                **self.look.details,
                **_each_benchmark(base.solved, candidate.solved),
                "asked": base.asked,
                "max_new_tokens": self.max_new_tokens,
                "sandbox": ", ".join(sandbox_layers()),
            },
        )


def changed(base: Mapping[str, bool], candidate: Mapping[str, bool]) -> tuple[int, int]:
    """How many tasks only the base solves (lost), and only the candidate (gained)."""
    lost = sum(base[task] and not candidate[task] for task in base)
    gained = sum(candidate[task] and not base[task] for task in base)
    return lost, gained


def of_benchmark(results: Mapping[str, bool], name: str) -> dict[str, bool]:
    """The results of one benchmark's tasks."""
    return {task: solved for task, solved in results.items() if benchmark_of(task) == name}


def _each_benchmark(base: Mapping[str, bool], candidate: Mapping[str, bool]) -> dict[str, str]:
    """The counts of each benchmark, in words."""
    said: dict[str, str] = {}
    for name, tasks in per_benchmark(base).items():
        before, after = of_benchmark(base, name), of_benchmark(candidate, name)
        lost, gained = changed(before, after)
        solved = f"{sum(before.values())} -> {sum(after.values())} of {tasks}"
        said[name] = f"{solved} tasks, {lost} lost, {gained} gained"
    return said
