"""What gates ask of a model, how wrong they may be, and which answers they can compare."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ghostbust.answer_faults import faults_of
from ghostbust.records import Answer, GateResult, GateVerdict, Score
from ghostbust.side_by_side import SideBySide
from ghostbust.statistics import block_alpha

MIN_FAMILIES = 10
"""prompt families below which a bootstrap over families says nothing"""
MAX_UNREACHABLE = 0.02
"""largest share of names, on either side, for which the registry gave no answer"""


class Completer(Protocol):
    """A model that continues a text, and answers a message where it can chat."""

    @property
    def chats(self) -> bool:
        """Whether `answer` asks through a chat template or a chat endpoint."""
        ...

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """The greedy answer to each user message, in the order given."""
        ...

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The greedy continuation of each text, as raw text without a chat template.

        Ends at ``max_new_tokens`` or before the first stop string, which isn't part of it.
        """
        ...


class Scorer(Protocol):
    """A model that says how likely it finds a text."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The score of each pair's second text as the continuation of its first."""
        ...


class Subject(Completer, Scorer, Protocol):
    """A model that can be put through every gate."""


def inconclusive(gate: str, reason: str, margin: str) -> GateResult:
    """The result of a gate that measured nothing it may judge by. Never a PASS.

    Callers use it, too: a gate that didn't run still stands in the report, with the reason.
    """
    return GateResult(
        gate=gate,
        verdict=GateVerdict.INCONCLUSIVE,
        reason=reason,
        base=None,
        candidate=None,
        ci=None,
        margin=margin,
    )


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison with the base, among those that came before and will come.

    A gate that errs with probability α at each of many rounds errs sooner or later. Looks that
    share one α get parts of it (`spent_alpha`) whose sum bounds the chance that any look ever errs,
    however many there will be and however they depend on each other (Bonferroni's inequality). A
    look's part is shared once more by the blocks of answers after which it is tested.
    """

    total: float = 0.05
    """error probability: of all looks together if they share it, else of each"""
    number: int = 1
    """which look at this base it is, from 1"""
    spends: bool = False
    """the looks share ``total``"""
    block: int = 1
    """after which block of answers it is tested, from 1"""
    blocks: int = 1
    """how many blocks there are at most"""

    def __post_init__(self) -> None:
        if not (0 < self.total < 0.5 and self.number >= 1 and 1 <= self.block <= self.blocks):
            raise ValueError("a look needs an error probability below 0.5, and numbers from 1")

    @property
    def alpha(self) -> float:
        """The error probability of this test and its one-sided bounds."""
        spent = spent_alpha(self.total, self.number) if self.spends else self.total
        return block_alpha(spent, self.block, self.blocks)

    @property
    def confidence(self) -> str:
        """1 - alpha in percent, with enough digits to differ from 100."""
        digits = max(0, 1 - math.floor(math.log10(100 * self.alpha)))
        text = f"{100 - 100 * self.alpha:.{digits}f}"
        return (text.rstrip("0").rstrip(".") if "." in text else text) + " %"

    @property
    def details(self) -> dict[str, float | int | str]:
        """What a gate's result says of it."""
        shared = {"alpha_total": self.total} if self.spends else {}
        spending = "rounds" if self.spends else "none"
        blocks = {"block": f"{self.block} of {self.blocks}"} if self.blocks > 1 else {}
        return {"alpha": self.alpha, **shared, "look": self.number, "spend": spending, **blocks}


def spent_alpha(total: float, look: int) -> float:
    """The part of ``total`` that the ``look``-th look gets: total·6 / (π²·look²).

    They sum to ``total`` over all looks without end: Σ 1/k² = π²/6.
    """
    return total * 6 / (math.pi * look) ** 2


@dataclass(frozen=True, slots=True)
class Unpaired:
    """Answers that can't be compared."""

    reason: str


def paired(
    base: Sequence[Answer], candidate: Sequence[Answer], support: int | None = None
) -> SideBySide | Unpaired:
    """What the gates on answers compare: both sides' names, and which answers are ``faulty``.

    Unpaired unless both answer the same prompts, each as often, of at least ``MIN_FAMILIES``
    families, and the registry was unreachable for at most ``MAX_UNREACHABLE`` of either's names.
    ``support``: as in `SideBySide.of`.
    """
    if reason := _why_unpaired(base, candidate):
        return Unpaired(reason)
    return SideBySide.of(
        base, candidate, support, faulty=lambda answer: float(bool(faults_of(answer)))
    )


def _why_unpaired(base: Sequence[Answer], candidate: Sequence[Answer]) -> str:
    """Why the two sets of answers can't be compared; empty if they can."""
    if not base or not candidate:
        return f"not run: {len(base)} answers of the base, {len(candidate)} of the candidate"
    asked = [Counter(answer.sample.prompt.id for answer in side) for side in (base, candidate)]
    if asked[0] != asked[1]:
        return (
            f"base ({len(base)} answers) and candidate ({len(candidate)} answers) didn't answer"
            " the same prompts equally often"
        )
    families = len({answer.sample.prompt.family for answer in base})
    if families < MIN_FAMILIES:
        return f"too few prompt families: {families}, needs {MIN_FAMILIES}"
    for side, answers in (("base", base), ("candidate", candidate)):
        reasons = [judged.lookup.reason for answer in answers for judged in answer.judged]
        share = reasons.count("unreachable") / len(reasons) if reasons else 0.0
        if share > MAX_UNREACHABLE:
            return f"the registry could not be asked about {share:.0%} of the {side}'s names"
    return ""
