"""GATE: a candidate on held-out prompts and on coding tasks, against the base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Completer, Look, Scorer, Subject
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.unknown import unknown_gate
from ghostbust.gates.volume import volume_gate
from ghostbust.loop.signals import Listener
from ghostbust.records import Answer, GateReport, GateResult, GateVerdict, Score
from ghostbust.sections import GatesSection

ON_TASKS = ("likelihood", "coding")
"""the gates on coding tasks; the others are on held-out answers"""

Gates = Callable[..., GateReport]
"""decides whether a candidate may serve: `run_gates`; others only where rounds are tested"""


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
    gates = _gates(limits, benchmark, answers, models, models, seed=seed, gated=gated)
    results = []
    for name, gate in gates.items():
        listener.begin(f"gate: {name}")
        results.append(gate())
    return GateReport(candidate, tuple(results))


def never_passed(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    base: Sequence[Answer] | None,
    *,
    seed: int,
    gated: int,
) -> list[GateResult]:
    """The gates that no candidate can pass, each with the reason; known before any training.

    They stay INCONCLUSIVE where the candidate answers just as the base does and both solve every
    coding task: they have too little to measure with. ``base``: its held-out answers; None: not
    asked yet, so only the gates on coding tasks are tried.
    """
    solved = TaskResults({task.task_id: True for task in benchmark}, "chat")
    scores = {task.task_id: Score(1.0, 1) for task in benchmark}
    gates = _gates(
        limits, benchmark, (base or (), base or ()), (solved, solved), (scores, scores),
        seed=seed, gated=gated,
    )  # fmt: skip
    tried = ON_TASKS if base is None else tuple(gates)
    results = [gates[name]() for name in tried]
    return [result for result in results if result.verdict is GateVerdict.INCONCLUSIVE]


def _gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    solving: tuple[Completer | TaskResults, Completer | TaskResults],
    scoring: tuple[Scorer | TaskScores, Scorer | TaskScores],
    *,
    seed: int,
    gated: int,
) -> dict[str, Callable[[], GateResult]]:
    """The gates by name, in the order in which they are run. Each pair: base, candidate."""
    look = look_of(limits, gated)
    coding = CodingGate(
        benchmark,
        margin=limits.coding_margin,
        look=look,
        max_new_tokens=limits.max_new_tokens,
        layers=limits.sandbox_layers,
    )
    likelihood = LikelihoodGate(benchmark, margin=limits.likelihood_margin, look=look, seed=seed)
    # Their prompts are largely those of the rounds before, so they share alpha unless told not to.
    on_answers = replace(look, spends=limits.spend != "none")
    volume = partial(
        volume_gate,
        low=limits.volume_low,
        high=limits.volume_high,
        context_low=limits.volume_context_low,
        context_high=limits.volume_context_high,
        look=on_answers,
    )
    return {
        "hallucination": lambda: rate_gate(*answers, min_drop=limits.min_drop, look=on_answers),
        "volume": lambda: volume(*answers),
        "unknown": lambda: unknown_gate(*answers, margin=limits.unknown_margin, look=on_answers),
        "faults": lambda: faults_gate(*answers, margin=limits.faults_margin, look=on_answers),
        "likelihood": lambda: likelihood.run(*scoring),
        "coding": lambda: coding.run(*solving),
    }


def look_of(limits: GatesSection, gated: int) -> Look:
    """The look that follows ``gated`` others, and whether all of them share alpha."""
    spends = limits.spend == "rounds" or (limits.spend == "auto" and limits.mbpp is not None)
    return Look(limits.alpha, gated + 1, spends)
