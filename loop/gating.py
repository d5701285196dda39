"""GATE: what a candidate shows on held-out prompts and on coding tasks, against the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ghostbust.gates import (
    CodingGate,
    CodingTask,
    LikelihoodGate,
    Look,
    Subject,
    faults_gate,
    rate_gate,
    volume_gate,
)
from ghostbust.loop.listener import Listener
from ghostbust.records import Answer, GateReport, GateResult
from ghostbust.sections import GatesSection


class Gates(Protocol):
    """What says whether a candidate may serve; `run_gates` but where a round itself is tested."""

    def __call__(
        self,
        limits: GatesSection,
        benchmark: Sequence[CodingTask],
        *,
        candidate: str,
        models: tuple[Subject, Subject],
        answers: tuple[Sequence[Answer], Sequence[Answer]],
        seed: int,
        gated: int,
        listener: Listener,
    ) -> GateReport:
        """The report on the candidate."""


def run_gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    *,
    candidate: str,
    models: tuple[Subject, Subject],
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    seed: int,
    gated: int,
    listener: Listener,
) -> GateReport:
    """Every gate's result, in a fixed order. A gate that can't measure is INCONCLUSIVE.

    ``models`` and ``answers`` are the base's and the candidate's; ``seed`` draws the bootstraps;
    ``gated`` counts the earlier rounds that were compared with this base.
    """
    look = look_of(limits, gated)
    coding = CodingGate(
        benchmark,
        margin=limits.coding_margin,
        look=look,
        max_new_tokens=limits.max_new_tokens,
        layers=limits.sandbox_layers,
    )
    likelihood = LikelihoodGate(benchmark, margin=limits.likelihood_margin, look=look, seed=seed)
    volume = partial(
        volume_gate,
        low=limits.volume_low,
        high=limits.volume_high,
        context_low=limits.volume_context_low,
        context_high=limits.volume_context_high,
    )
    gates: dict[str, Callable[[], GateResult]] = {
        "hallucination": lambda: rate_gate(*answers, min_drop=limits.min_drop, seed=seed),
        "volume": lambda: volume(*answers, seed=seed),
        "faults": lambda: faults_gate(*answers, margin=limits.faults_margin, seed=seed),
        "likelihood": lambda: likelihood.run(*models),
        "coding": lambda: coding.run(*models),
    }
    results = []
    for name, gate in gates.items():
        listener.begin(f"gate: {name}")
        results.append(gate())
    return GateReport(candidate, tuple(results))


def look_of(limits: GatesSection, gated: int) -> Look:
    """The look that follows ``gated`` others, and whether all of them share alpha."""
    spends = limits.spend == "rounds" or (limits.spend == "auto" and limits.mbpp is not None)
    return Look(limits.alpha, gated + 1, spends)
