"""UTILITY: whether the adapted model still solves coding tasks, and still knows right solutions.

The gates ``coding`` and ``likelihood`` measure and judge; here are their figures for each benchmark
and for all together. ``measure_reordered`` gives the noise floor: the base against itself.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ghostbust.gates.coding import Asked, CodingGate, TaskResults, changed, of_benchmark
from ghostbust.gates.interface import Subject
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores, nats_per_token
from ghostbust.gates.tasks import per_benchmark
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
    asked: Asked
    """how both were asked"""
    parts: tuple[BenchmarkUtility, ...]
    """each benchmark, then, where there are several, all together"""
    coding: GateResult
    likelihood: GateResult
    """what the gates say of all tasks together"""

    @property
    def pooled(self) -> BenchmarkUtility:
        """All tasks together."""
        return self.parts[-1]


def measure_model(model: Subject, coding: CodingGate, likelihood: LikelihoodGate) -> MeasuredTasks:
    """What a model makes of the gates' tasks, each completed greedily and its solution scored.

    Raises SandboxError where the sandbox can't be trusted, UnreachableError where the model
    doesn't answer.
    """
    return MeasuredTasks(coding.measure(model), likelihood.measure(model))


def measure_reordered(
    base: Subject, coding: CodingGate, likelihood: LikelihoodGate
) -> MeasuredTasks:
    """The base once more, in another order: what differs from its first time is noise.

    Answers are greedy, so no seed of sampling changes them. But in another order, drawn with the
    likelihood gate's seed, and in smaller blocks, each task shares its batch with others, and bf16
    sums of another shape round differently. Errors are those of ``measure_model``.
    """
    shuffled = list(coding.tasks)
    random.Random(likelihood.seed).shuffle(shuffled)  # noqa: S311
    solved: dict[str, bool] = {}
    scores: dict[str, Score] = {}
    for first in range(0, len(shuffled), AA_BLOCK):
        tasks = shuffled[first : first + AA_BLOCK]
        block = measure_model(base, replace(coding, tasks=tasks), replace(likelihood, tasks=tasks))
        solved |= block.results.solved
        scores |= block.scores
    return MeasuredTasks(TaskResults(solved, "chat" if base.chats else "completion"), scores)


def compare_utility(
    before: MeasuredTasks,
    after: MeasuredTasks,
    coding: CodingGate,
    likelihood: LikelihoodGate,
    *,
    names: tuple[str, str] = ("base", "adapted"),
) -> UtilityResult:
    """The figures of the base before and the adapted model after, on the gates' tasks.

    Raises ValueError where an outcome or a score is missing, there is no task, or the two models
    were asked in different ways.
    """
    ids = [task.task_id for task in coding.tasks]
    results = before.results.solved, after.results.solved
    scores = before.scores, after.scores
    if not ids or any(set(known) != set(ids) for known in (*results, *scores)):
        raise ValueError("utility needs the outcome and the score of every task, and a task")
    if before.results.asked != after.results.asked:
        raise ValueError("tasks that were asked in different ways can't be compared")
    pools = list(per_benchmark(ids))
    if len(pools) > 1:
        pools.append(ALL)
    return UtilityResult(
        *names,
        alpha=coding.look.alpha,
        margin=coding.margin,
        asked=before.results.asked,
        parts=tuple(_part(pool, results, scores, coding, likelihood.seed) for pool in pools),
        coding=coding.compare(before.results, after.results),
        likelihood=likelihood.compare(*scores),
    )


def _part(
    name: str,
    results: tuple[Mapping[str, bool], Mapping[str, bool]],
    scores: tuple[TaskScores, TaskScores],
    gate: CodingGate,
    seed: int,
) -> BenchmarkUtility:
    """The figures of one benchmark, or of all."""
    before, after = results if name == ALL else (of_benchmark(known, name) for known in results)
    ids, alpha = list(before), gate.look.alpha
    lost, gained = changed(before, after)
    nats, nats_after = nats_per_token(scores[0], ids), nats_per_token(scores[1], ids)
    mean, mean_after = math.fsum(nats) / len(ids), math.fsum(nats_after) / len(ids)
    level = 1 - 2 * alpha
    # A task's log-likelihood is minus its nats: both intervals turn around.
    low, high = paired_bootstrap(nats_after, nats, ids, level=level, seed=seed)
    least, most = ratio_bootstrap(nats_after, nats, ids, level=level, seed=seed)
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
        power=power_at_margin(len(ids), lost + gained, margin=gate.margin, alpha=alpha),
        log_likelihood_before=-mean,
        log_likelihood_after=-mean_after,
        change_nats=(low, high),
        change_percent=100 * (1 - mean_after / mean),
        change_percent_interval=(100 * (1 - most), 100 * (1 - least)),
    )
