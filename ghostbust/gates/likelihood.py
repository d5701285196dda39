"""The gate on the canonical solutions' log-likelihood: whether the model still knows right code.

Cheaper than running completions and less noisy: one forward pass a task, and a small shift shows on
every task. It works for models that solve almost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ghostbust.errors import UnreachableError
from ghostbust.gates.interface import Look, Scorer, inconclusive
from ghostbust.gates.tasks import CodingTask, benchmark_of, per_benchmark
from ghostbust.records import GateResult, GateVerdict, Score
from ghostbust.statistics import paired_bootstrap

GATE = "likelihood"

TaskScores = Mapping[str, Score]
"""task id -> score of its canonical solution"""


@dataclass(frozen=True, slots=True)
class LikelihoodGate:
    """Compares the nats per token of the canonical solutions, paired by task.

    Each task counts once, however long its solution. increase = the candidate's mean - the base's,
    with one-sided 1 - alpha bootstrap bounds over tasks (the ``look``'s alpha, 0.05 by default).
    PASS: the upper bound is within ``margin``. FAIL: the lower bound is beyond it. INCONCLUSIVE:
    everything else, and any reason why tasks weren't scored.
    """

    tasks: Sequence[CodingTask]
    margin: float = 0.02
    """largest tolerated increase, nats per token: 0.02 is a perplexity 2 % higher"""
    look: Look = field(default_factory=Look)
    min_tasks: int = 100
    seed: int = 0

    @property
    def condition(self) -> str:
        """The condition to pass, in words."""
        bound = f"upper {self.look.confidence} bound of the increase in nats per token"
        return f"{bound} <= {self.margin:g}"

    def run(self, base: Scorer | TaskScores, candidate: Scorer | TaskScores) -> GateResult:
        """The gate's result. Takes scores instead of a model where they are known already."""
        try:
            before = base if isinstance(base, Mapping) else self.measure(base)
            after = candidate if isinstance(candidate, Mapping) else self.measure(candidate)
        except UnreachableError as error:
            return inconclusive(GATE, str(error), self.condition)
        return self.compare(before, after)

    def measure(self, model: Scorer) -> TaskScores:
        """The score of every task's canonical solution behind its prompt."""
        scores = model.score([(task.prompt, task.canonical_solution) for task in self.tasks])
        return {task.task_id: score for task, score in zip(self.tasks, scores, strict=True)}

    def compare(self, base: TaskScores, candidate: TaskScores) -> GateResult:
        """The gate's result for known scores."""
        if reason := self._unusable(base, candidate):
            return inconclusive(GATE, reason, self.condition)
        ids = [task.task_id for task in self.tasks]
        before, after = nats_per_token(base, ids), nats_per_token(candidate, ids)
        level = 1 - 2 * self.look.alpha
        low, high = paired_bootstrap(before, after, ids, level=level, seed=self.seed)
        mean_before, mean_after = math.fsum(before) / len(ids), math.fsum(after) / len(ids)
        if high <= self.margin:
            verdict, why = GateVerdict.PASS, f"within the margin of {self.margin:g}"
        elif low > self.margin:
            verdict, why = GateVerdict.FAIL, f"beyond the margin of {self.margin:g}"
        else:
            verdict = GateVerdict.INCONCLUSIVE
            why = f"across the margin of {self.margin:g}: more tasks would tell"
        return GateResult(
            gate=GATE,
            verdict=verdict,
            reason=(
                f"{mean_before:.4f} -> {mean_after:.4f} nats per token over {len(ids)} tasks: the"
                f" increase is {mean_after - mean_before:+.4f} [{low:+.4f}, {high:+.4f}], {why}"
            ),
            base=mean_before,
            candidate=mean_after,
            ci=(low, high),
            margin=self.condition,
            details={
                "tasks": len(ids),
                "tokens": sum(score.tokens for score in base.values()),
                "worse_tasks": sum(b < a for b, a in zip(before, after, strict=True)),
                **self.look.details,
                **_each_benchmark(base, candidate),
                "seed": self.seed,
            },
        )

    def _unusable(self, base: TaskScores, candidate: TaskScores) -> str:
        """Why the scores can't be compared; empty if they can."""
        if len(self.tasks) < self.min_tasks:
            return f"too few tasks: {len(self.tasks)}, needs {self.min_tasks}"
        wanted = {task.task_id for task in self.tasks}
        for name, scores in (("base", base), ("candidate", candidate)):
            if set(scores) != wanted:
                return (
                    f"the {name} has scores for {len(wanted & set(scores))} of {len(wanted)} tasks"
                )
            broken = [t for t, s in scores.items() if s.tokens < 1 or not math.isfinite(s.nll)]
            if broken:
                return f"{len(broken)} of the {name}'s scores aren't numbers, {broken[0]} first"
        if any(base[task].tokens != candidate[task].tokens for task in wanted):
            return "base and candidate split the solutions into different tokens"
        return ""


def nats_per_token(scores: TaskScores, tasks: Sequence[str]) -> list[float]:
    """The mean negative log-likelihood of each of the tasks' tokens."""
    return [scores[task].nll / scores[task].tokens for task in tasks]


def _each_benchmark(base: TaskScores, candidate: TaskScores) -> dict[str, str]:
    """The nats per token of each benchmark's tasks, in words."""
    said: dict[str, str] = {}
    for name, count in per_benchmark(base).items():
        ids = [task for task in base if benchmark_of(task) == name]
        before, after = (math.fsum(nats_per_token(s, ids)) / count for s in (base, candidate))
        said[name] = f"{before:.4f} -> {after:.4f} over {count} tasks"
    return said
