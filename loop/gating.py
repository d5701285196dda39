"""GATE: what a candidate shows on held-out prompts and on the benchmark, against the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ghostbust.config import GatesSection
from ghostbust.gates import (
    CodingTask,
    HumanEvalGate,
    LikelihoodGate,
    Subject,
    rate_gate,
    volume_gate,
)
from ghostbust.loop.listener import Listener
from ghostbust.records import Answer, GateReport, GateResult


def run_gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    *,
    candidate: str,
    models: tuple[Subject, Subject],
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    seed: int,
    listener: Listener,
) -> GateReport:
    """Every gate's result, in a fixed order. A gate that can't measure is INCONCLUSIVE.

    ``models`` and ``answers`` are the base's and the candidate's; ``seed`` draws the bootstraps.
    """
    tasks = benchmark[: limits.humaneval_tasks]
    humaneval = HumanEvalGate(
        tasks, margin=limits.humaneval_margin, max_new_tokens=limits.max_new_tokens
    )
    likelihood = LikelihoodGate(tasks, margin=limits.likelihood_margin, seed=seed)
    low, high = limits.volume_low, limits.volume_high
    gates: dict[str, Callable[[], GateResult]] = {
        "hallucination": lambda: rate_gate(*answers, min_drop=limits.min_drop, seed=seed),
        "volume": lambda: volume_gate(*answers, low=low, high=high, seed=seed),
        "likelihood": lambda: likelihood.run(*models),
        "humaneval": lambda: humaneval.run(*models),
    }
    results = []
    for name, gate in gates.items():
        listener.begin(f"gate: {name}")
        results.append(gate())
    return GateReport(candidate, tuple(results))
