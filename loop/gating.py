"""GATE: a candidate on held-out prompts and on coding tasks, against the base.

The gates on answers come first and are group-sequential: after each block of answers all of them
judge all answers so far. One that fails ends it, since every gate has to pass; where all pass, no
more is asked either. The gates on coding tasks, which cost more, are run where none has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Look, Subject, inconclusive, paired
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.unknown import unknown_gate
from ghostbust.gates.volume import volume_gate
from ghostbust.loop.signals import Listener, Silence
from ghostbust.records import Answer, GateReport, GateResult, GateVerdict, Score
from ghostbust.sections import GatesSection

ON_TASKS = ("likelihood", "coding")
"""the gates on coding tasks; the others are on held-out answers"""

BothAnswers = tuple[Sequence[Answer], Sequence[Answer]]
"""the base's and the candidate's answers to the same prompts"""

Gates = Callable[..., GateReport]
"""decides whether a candidate may serve: `run_gates`; others only where rounds are tested"""


def run_gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    *,
    candidate: str,
    models: tuple[Subject, Subject],
    blocks: Iterable[BothAnswers],
    seed: int,
    gated: int,
    judged: Mapping[str, int],
    listener: Listener,
) -> GateReport:
    """Every gate's result, in a fixed order. A gate that can't measure is INCONCLUSIVE.

    ``models`` are the base and the candidate; ``blocks`` has their answers so far after each block,
    and is read only as far as it takes; ``seed`` draws the bootstraps; ``gated`` counts the earlier
    rounds that were compared with this base, and ``judged`` those that each prompt family judged.
    """
    results = _on_answers(limits, blocks, gated=gated, judged=judged, listener=listener)
    failed = [result.gate for result in results if result.verdict is GateVerdict.FAIL]
    coding, likelihood = _on_tasks(limits, benchmark, seed=seed, gated=gated)
    if failed:
        why = f"not run, since the candidate can't pass any more: {' and '.join(failed)} failed"
        results.append(inconclusive("likelihood", why, likelihood.condition))
        results.append(inconclusive("coding", why, coding.condition))
    else:
        listener.begin("gate: likelihood")
        results.append(likelihood.run(*models))
        listener.begin("gate: coding")
        results.append(coding.run(*models))
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
    coding task: they have too little to measure with, even in the last block. ``base``: its answers
    in the first block, in place of which come as many again for each other one; None: not asked
    yet, so only the gates on coding tasks are tried.
    """
    results: list[GateResult] = []
    if base is not None:
        look = replace(_look_on_answers(limits, gated), block=limits.blocks)
        every = [*base] * limits.blocks
        results += _judge(limits, (every, every), look, Silence())
    solved = TaskResults({task.task_id: True for task in benchmark}, "chat")
    scores: TaskScores = {task.task_id: Score(1.0, 1) for task in benchmark}
    coding, likelihood = _on_tasks(limits, benchmark, seed=seed, gated=gated)
    results += [likelihood.run(scores, scores), coding.run(solved, solved)]
    return [result for result in results if result.verdict is GateVerdict.INCONCLUSIVE]


def _on_answers(
    limits: GatesSection,
    blocks: Iterable[BothAnswers],
    *,
    gated: int,
    judged: Mapping[str, int],
    listener: Listener,
) -> list[GateResult]:
    """The results after the block that decided, or the last one."""
    results: list[GateResult] = []
    families: set[str] = set()
    for block, answers in enumerate(blocks, 1):
        look = replace(_look_on_answers(limits, gated), block=block)
        results = _judge(limits, answers, look, listener)
        families = {answer.sample.prompt.family for answer in answers[0]}
        verdicts = {result.verdict for result in results}
        if GateVerdict.FAIL in verdicts or verdicts == {GateVerdict.PASS}:
            break
    # Said once: all of them judge the same answers.
    return [_with_reuse(results[0], families, judged), *results[1:]]


def _judge(
    limits: GatesSection, answers: BothAnswers, look: Look, listener: Listener
) -> list[GateResult]:
    """The gates on held-out answers, in the order in which they are run."""
    pair = paired(*answers, support=limits.support)
    gates: dict[str, Callable[[], GateResult]] = {
        "hallucination": lambda: rate_gate(pair, min_drop=limits.min_drop, look=look),
        "volume": lambda: volume_gate(
            pair,
            low=limits.volume_low,
            high=limits.volume_high,
            context_low=limits.volume_context_low,
            context_high=limits.volume_context_high,
            look=look,
        ),
        "unknown": lambda: unknown_gate(pair, margin=limits.unknown_margin, look=look),
        "faults": lambda: faults_gate(pair, margin=limits.faults_margin, look=look),
    }
    results = []
    for name, gate in gates.items():
        listener.begin(f"gate: {name}")
        results.append(gate())
    return results


def _with_reuse(result: GateResult, families: set[str], judged: Mapping[str, int]) -> GateResult:
    """The result, whose reason also says how many of its prompt families judged before."""
    before = [judged[family] for family in families if judged.get(family)]
    if not before:
        return result
    said = (
        f"{len(before)} of the {len(families)} prompt families judged earlier candidates, the most"
        f" used {max(before)} of them"
    )
    reused = {"families_reused": len(before), "most_reuse": max(before)}
    return replace(result, reason=f"{result.reason}; {said}", details={**result.details, **reused})


def _on_tasks(
    limits: GatesSection, benchmark: Sequence[CodingTask], *, seed: int, gated: int
) -> tuple[CodingGate, LikelihoodGate]:
    """The gates on coding tasks."""
    look = look_of(limits, gated)
    coding = CodingGate(
        benchmark,
        margin=limits.coding_margin,
        look=look,
        max_new_tokens=limits.max_new_tokens,
        layers=limits.sandbox_layers,
    )
    return coding, LikelihoodGate(benchmark, margin=limits.likelihood_margin, look=look, seed=seed)


def look_of(limits: GatesSection, gated: int) -> Look:
    """The look that follows ``gated`` others, and whether all of them share alpha."""
    spends = limits.spend == "rounds" or (limits.spend == "auto" and limits.mbpp is not None)
    return Look(limits.alpha, gated + 1, spends)


def _look_on_answers(limits: GatesSection, gated: int) -> Look:
    """The same of the gates on answers: they share alpha unless told not to.

    Their prompts are largely those of the rounds before. Each earlier round counts as if it had
    asked all of them (Bonferroni's bound holds however much is asked again).
    """
    return replace(look_of(limits, gated), spends=limits.spend != "none", blocks=limits.blocks)
