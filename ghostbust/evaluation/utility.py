"""UTILITY: whether the adapted model still solves coding tasks, and still knows right solutions.

The figures of the gates ``coding`` and ``likelihood``, for each benchmark and for all together, and
the two gates' verdicts on the whole. ``measure_reordered`` gives the noise floor: the base against
itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from ghostbust.gates.coding import CodingGate, TaskResults, changed, of_benchmark
from ghostbust.gates.interface import Look, Subject
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores, nats_per_token
from ghostbust.gates.sandbox import SandboxLimits
from ghostbust.gates.tasks import CodingTask, per_benchmark
from ghostbust.records import GateResult, Score
from ghostbust.statistics import (
    Interval,
    mcnemar_one_sided,
    mcnemar_two_sided,
    paired_bootstrap,
    power_at_margin,
    ratio_bootstrap,
    tango_upper_bound,
)

ALL = "all"
"""the pool of every benchmark"""
AA_BLOCK = 37
"""tasks given at once in the second half of an A/A run: other neighbours, other padding"""


@dataclass(frozen=True, slots=True)
class UtilitySettings:
    """How utility is measured, and by which margins it is judged."""

    coding_margin: float = 0.05
    """largest tolerated loss of pass@1"""
    likelihood_margin: float = 0.02
    """largest tolerated increase, nats per token"""
    look: Look = field(default_factory=Look)
    """error probability of tests and one-sided bounds"""
    max_new_tokens: int = 256
    min_tasks: int = 100
    """tasks below which the gates' verdicts are INCONCLUSIVE"""
    seed: int = 0
    """draws the bootstraps, and the other order of an A/A run"""
    limits: SandboxLimits = field(default_factory=SandboxLimits)
    layers: Sequence[str] = ()
    """layers of the sandbox without which no answer is run"""


@dataclass(frozen=True, slots=True)
class MeasuredTasks:
    """What one model makes of coding tasks."""

    results: TaskResults
    scores: TaskScores


@dataclass(frozen=True, slots=True)
class BenchmarkUtility:
    """One benchmark's figures, the base before and the adapted model after."""

    benchmark: str
    """``HumanEval``, ``MBPP``, or ``all``"""
    tasks: int
    solved_before: int
    solved_after: int
    lost: int
    """tasks that only the base solves"""
    gained: int
    """tasks that only the adapted model solves"""
    p_two_sided: float
    """exact McNemar, against no change"""
    p_one_sided: float
    """exact McNemar, against no loss"""
    loss_bound: float
    """upper bound of the loss of pass@1 (Tango), at 1 - alpha"""
    power: float
    """chance that a loss of the margin would be significant, with as many discordant pairs"""
    log_likelihood_before: float
    """of the canonical solutions: mean over tasks of nats per token, below 0"""
    log_likelihood_after: float
    change_nats: Interval
    """of after - before, both ends bounds at 1 - alpha; below 0 is worse"""
    change_percent: float
    """the change as a part of the size of ``log_likelihood_before``; -1 is 1 % worse"""
    change_percent_interval: Interval


@dataclass(frozen=True, slots=True)
class UtilityResult:
    """Utility of a base and an adapted model on the same tasks."""

    base: str
    candidate: str
    """what was compared, for tables: adapters' names, or the two halves of an A/A run"""
    alpha: float
    margin: float
    """of the loss of pass@1, to which ``power`` belongs"""
    parts: tuple[BenchmarkUtility, ...]
    """each benchmark, then, where there are several, all together"""
    coding: GateResult
    likelihood: GateResult
    """what the gates say of all tasks together"""

    @property
    def pooled(self) -> BenchmarkUtility:
        """All tasks together."""
        return self.parts[-1]


def measure_model(
    model: Subject, tasks: Sequence[CodingTask], settings: UtilitySettings
) -> MeasuredTasks:
    """What a model makes of the tasks, each completed greedily and its solution scored.

    Raises SandboxError where the sandbox can't be trusted, UnreachableError where the model
    doesn't answer.
    """
    coding, likelihood = _gates(tasks, settings)
    return MeasuredTasks(coding.measure(model), likelihood.measure(model))


def measure_reordered(
    base: Subject, tasks: Sequence[CodingTask], settings: UtilitySettings
) -> MeasuredTasks:
    """The base once more, in another order: what differs from its first time is noise.

    Answers are greedy, so no seed of sampling changes them. But in another order, drawn with the
    settings' seed, and in smaller blocks, each task shares its batch with others, and bf16 sums of
    another shape round differently. Errors are those of ``measure_model``.
    """
    shuffled = list(tasks)
    random.Random(settings.seed).shuffle(shuffled)  # noqa: S311
    results: dict[str, bool] = {}
    scores: dict[str, Score] = {}
    for first in range(0, len(shuffled), AA_BLOCK):
        block = measure_model(base, shuffled[first : first + AA_BLOCK], settings)
        results |= block.results
        scores |= block.scores
    return MeasuredTasks(results, scores)


def compare_utility(
    before: MeasuredTasks,
    after: MeasuredTasks,
    tasks: Sequence[CodingTask],
    settings: UtilitySettings,
    *,
    names: tuple[str, str] = ("base", "adapted"),
) -> UtilityResult:
    """The figures of the base before and the adapted model after, on all ``tasks``.

    Raises ValueError where an outcome or a score is missing, or there is no task.
    """
    ids = [task.task_id for task in tasks]
    results, scores = (before.results, after.results), (before.scores, after.scores)
    if not ids or any(set(known) != set(ids) for known in (*results, *scores)):
        raise ValueError("utility needs the outcome and the score of every task, and a task")
    pools = list(per_benchmark(ids))
    if len(pools) > 1:
        pools.append(ALL)
    coding, likelihood = _gates(tasks, settings)
    return UtilityResult(
        *names,
        alpha=settings.look.alpha,
        margin=settings.coding_margin,
        parts=tuple(_part(pool, results, scores, settings) for pool in pools),
        coding=coding.compare(*results),
        likelihood=likelihood.compare(*scores),
    )


def _gates(
    tasks: Sequence[CodingTask], settings: UtilitySettings
) -> tuple[CodingGate, LikelihoodGate]:
    """The gates that measure and judge."""
    coding = CodingGate(
        tasks,
        margin=settings.coding_margin,
        look=settings.look,
        min_tasks=settings.min_tasks,
        max_new_tokens=settings.max_new_tokens,
        budget_s=math.inf,
        limits=settings.limits,
        layers=settings.layers,
    )
    likelihood = LikelihoodGate(
        tasks,
        margin=settings.likelihood_margin,
        look=settings.look,
        min_tasks=settings.min_tasks,
        seed=settings.seed,
    )
    return coding, likelihood


def _part(
    name: str,
    results: tuple[TaskResults, TaskResults],
    scores: tuple[TaskScores, TaskScores],
    settings: UtilitySettings,
) -> BenchmarkUtility:
    """The figures of one benchmark, or of all."""
    before, after = results if name == ALL else (of_benchmark(known, name) for known in results)
    ids, alpha = list(before), settings.look.alpha
    lost, gained = changed(before, after)
    nats, nats_after = nats_per_token(scores[0], ids), nats_per_token(scores[1], ids)
    mean, mean_after = math.fsum(nats) / len(ids), math.fsum(nats_after) / len(ids)
    level = 1 - 2 * alpha
    # A task's log-likelihood is minus its nats: both intervals turn around.
    low, high = paired_bootstrap(nats_after, nats, ids, level=level, seed=settings.seed)
    least, most = ratio_bootstrap(nats_after, nats, ids, level=level, seed=settings.seed)
    return BenchmarkUtility(
        benchmark=name,
        tasks=len(ids),
        solved_before=sum(before.values()),
        solved_after=sum(after.values()),
        lost=lost,
        gained=gained,
        p_two_sided=mcnemar_two_sided(lost, gained),
        p_one_sided=mcnemar_one_sided(lost, gained),
        loss_bound=tango_upper_bound(lost, gained, len(ids), alpha=alpha),
        power=power_at_margin(len(ids), lost + gained, margin=settings.coding_margin, alpha=alpha),
        log_likelihood_before=-mean,
        log_likelihood_after=-mean_after,
        change_nats=(low, high),
        change_percent=100 * (1 - mean_after / mean),
        change_percent_interval=(100 * (1 - most), 100 * (1 - least)),
    )
