"""Lines up the base's answers with the candidate's, or says why they can't be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ghostbust.records import Answer, Context, Prompt

MIN_FAMILIES = 10
"""prompt families below which a bootstrap over families says nothing"""
MAX_UNREACHABLE = 0.02
"""largest share of names, on either side, that the registry could not be asked about"""


def unpaired(base: Sequence[Answer], candidate: Sequence[Answer]) -> str:
    """Why the two sets of answers can't be compared; empty if they can.

    They can if they answer the same prompts, each as often, of at least ``MIN_FAMILIES``
    families, and the registry was reachable for all but ``MAX_UNREACHABLE`` of the names.
    """
    if not base or not candidate:
        return f"not run: {len(base)} answers of the base, {len(candidate)} of the candidate"
    if _prompts(base) != _prompts(candidate):
        return (
            f"base ({len(base)} answers) and candidate ({len(candidate)} answers) didn't answer"
            " the same prompts equally often"
        )
    families = len({answer.sample.prompt.family for answer in base})
    if families < MIN_FAMILIES:
        return f"too few prompt families: {families}, needs {MIN_FAMILIES}"
    for side, answers in (("base", base), ("candidate", candidate)):
        share = _unreachable_share(answers)
        if share > MAX_UNREACHABLE:
            return f"the registry could not be asked about {share:.0%} of the {side}'s names"
    return ""


def aligned(answers: Sequence[Answer]) -> list[Answer]:
    """The answers ordered by prompt: paired answers then stand at the same place."""
    return sorted(answers, key=lambda answer: answer.sample.prompt.id)


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure of two answers to one prompt."""

    prompt: Prompt
    base: float
    candidate: float


def paired(
    base: Sequence[Answer], candidate: Sequence[Answer], figure: Callable[[Answer], float]
) -> list[Pair]:
    """The figure of each answer beside that of the other side's, in the order of ``aligned``."""
    return [
        Pair(one.sample.prompt, figure(one), figure(other))
        for one, other in zip(aligned(base), aligned(candidate), strict=True)
    ]


def by_context(pairs: Sequence[Pair]) -> dict[Context, list[Pair]]:
    """The pairs of each context that was asked."""
    parts = {
        context: [pair for pair in pairs if pair.prompt.context is context] for context in Context
    }
    return {context: part for context, part in parts.items() if part}


def _prompts(answers: Sequence[Answer]) -> Counter[str]:
    return Counter(answer.sample.prompt.id for answer in answers)


def _unreachable_share(answers: Sequence[Answer]) -> float:
    """Refs that failed for want of an answer, of all refs; 0 where nothing was named."""
    reasons = [judged.lookup.reason for answer in answers for judged in answer.judged]
    return reasons.count("unreachable") / len(reasons) if reasons else 0.0
